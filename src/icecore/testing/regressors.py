"""Conformance checks for plug-in heads that predict numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from icecore.errors import HeadError

if TYPE_CHECKING:
    from icecore.heads import Regressor

MakeRegressor = Callable[[], "Regressor"]
_PRECISION = 1e-6  # in spreads of the numbers


def check_regressor(make_regressor: MakeRegressor) -> None:
    """Check that a head for numbers keeps its contract. `make_regressor` gives a new unfitted one each time.

    What is learnable is learnt, in any unit; state goes through JSON and plain arrays and predicts the same; two fits
    agree, a row predicts alone as among others; constant features and numbers, more features than rows and a single row
    work. Raises AssertionError that says what was broken.

    Example:
        >>> from icecore import heads
        >>> check_regressor(lambda: heads.make_regressor("ridge"))
    """
    for check in (check_learns, check_units, check_state, check_deterministic, check_shapes, check_unfitted):
        check(make_regressor)


def numbers(n: int = 80, d: int = 6, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d), float32, and numbers (n,) that lie near a plane."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    return X, 3 * X[:, 0] - 2 * X[:, -1] + 0.1 * rng.normal(size=n)


def check_learns(make_regressor: MakeRegressor) -> None:
    """Numbers near a plane are explained."""
    X, y = numbers()
    off = make_regressor().fit(X, y).predict(X) - y
    share = 1 - float(np.square(off).mean() / y.var())
    _require(share >= 0.5, f"only {share:.0%} of numbers near a plane is explained, on the training rows")


def check_units(make_regressor: MakeRegressor) -> None:
    """Another unit and another zero give the same answers in that unit."""
    X, y = numbers()
    plain, moved = make_regressor().fit(X, y).predict(X), make_regressor().fit(X, 1000 * y + 5e4).predict(X)
    _require_same((moved - 5e4) / 1000, plain, y, "when the numbers have another unit", 1e-3)


def check_state(make_regressor: MakeRegressor) -> None:
    """The state is JSON and arrays, and a new head that loads it predicts the same."""
    X, y = numbers()
    head = make_regressor().fit(X, y)
    config, arrays = head.state()
    for name, array in arrays.items():
        plain = type(array) is np.ndarray and array.dtype.kind in "fiub"
        _require(plain, f"{name!r} in the state is no plain array of numbers")
    config = json.loads(json.dumps(config, allow_nan=False))
    restored = make_regressor().load_state(config, {name: array.copy() for name, array in arrays.items()})
    _require_same(restored.predict(X), head.predict(X), y, "after its state was saved and loaded")


def check_deterministic(make_regressor: MakeRegressor) -> None:
    """Two heads fitted alike predict alike, fitting again starts afresh, and arguments stay as they were."""
    X, y = numbers()
    X_before, y_before = X.copy(), y.copy()
    first, second = make_regressor().fit(X, y), make_regressor().fit(*numbers(d=3)).fit(X, y)
    _require_same(second.predict(X), first.predict(X), y, "when fitted on other rows before")
    _require_same(first.predict(X[:1]), first.predict(X)[:1], y, "for a row alone")
    same = np.array_equal(X, X_before) and np.array_equal(y, y_before)
    _require(same, "the head changed the arrays that it was given")


def check_shapes(make_regressor: MakeRegressor) -> None:
    """Finite float64 numbers (n,), for data of every shape."""
    for title, (X, y) in _shapes().items():
        found = make_regressor().fit(X, y).predict(X)
        fine = found.shape == (len(X),) and found.dtype == np.float64 and bool(np.isfinite(found).all())
        _require(fine, f"{title}: the head gave {found.dtype} of shape {found.shape}, or numbers that are not finite")


def check_unfitted(make_regressor: MakeRegressor) -> None:
    """Predicting before `fit` raises HeadError."""
    try:
        make_regressor().predict(np.zeros((1, 3), dtype=np.float32))
    except HeadError:
        return
    raise AssertionError("predict before fit does not raise HeadError")


def _shapes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    X, y = numbers()
    constant = X.copy()
    constant[:, 1:] = 7.0
    return {
        "with one feature": numbers(d=1),
        "with constant features": (constant, y),
        "with nothing but constant features": (np.ones_like(X), y),
        "with more features than rows": numbers(n=12, d=40),
        "with numbers that are all the same": (X, np.full(len(X), 5.0)),
        "with whole numbers": (X, np.arange(len(X))),
        "with two rows": (X[:2], y[:2]),
        "with rows that are all there twice": (np.concatenate([X, X]), np.concatenate([y, y])),
    }


def _require_same(
    found: np.ndarray, expected: np.ndarray, y: np.ndarray, title: str, share: float = _PRECISION
) -> None:
    difference = float(np.abs(found - expected).max() / y.std())
    _require(difference <= share, f"numbers differ by {difference:.1g} of their spread {title}")


def _require(fine: bool | np.bool_, message: str) -> None:
    if not fine:
        raise AssertionError(message)
