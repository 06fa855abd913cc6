"""Conformance checks for plug-in heads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from icecore.errors import HeadError

if TYPE_CHECKING:
    from icecore.heads import Head

MakeHead = Callable[[], "Head"]
_PRECISION = 1e-6


def check_head(make_head: MakeHead) -> None:
    """Check that a head keeps its contract. `make_head` gives a new unfitted head each time, with the same seed.

    Each row of probabilities sums to one; absent classes keep their columns; state goes through JSON and plain arrays
    and predicts the same within 1e-6; two fits agree; one feature, constant features, more features than rows, two
    classes and a single class work; what is learnable is learnt. Raises AssertionError that says what was broken.

    Example:
        >>> from icecore import heads
        >>> check_head(lambda: heads.make("centroid"))
    """
    for check in (
        check_learns,
        check_probabilities,
        check_absent_classes,
        check_state,
        check_deterministic,
        check_arguments_stay,
        check_fits_again,
        check_unfitted,
    ):
        check(make_head)


def example(n: int = 60, d: int = 8, k: int = 3, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d), float32, of k classes that lie well apart, and class codes (n,)."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    centres = np.stack([np.cos(2 * np.pi * np.arange(d) * (c + 1) / (d + 1)) + c for c in range(k)])
    return (3 * centres[y] + rng.normal(size=(n, d))).astype(np.float32), y


def check_learns(make_head: MakeHead) -> None:
    """Classes that lie well apart are told apart."""
    X, y = example()
    right = float((make_head().fit(X, y, n_classes=3).predict_proba(X).argmax(axis=1) == y).mean())
    _require(right >= 0.9, f"only {right:.0%} of well separated training rows are right")


def check_probabilities(make_head: MakeHead) -> None:
    """Rows of probabilities (n, n_classes), float64, that sum to one, for data of every shape."""
    for title, (X, y) in _shapes().items():
        k = int(y.max()) + 1
        proba = make_head().fit(X, y, n_classes=k).predict_proba(X)
        _require_probabilities(proba, (len(X), k), title)


def check_absent_classes(make_head: MakeHead) -> None:
    """A class that no row has keeps its column, and is the likeliest nowhere."""
    X, y = example()
    there = y != 1
    proba = make_head().fit(X[there], y[there], n_classes=4).predict_proba(X)
    _require_probabilities(proba, (len(X), 4), "with classes 1 and 3 absent")
    right = proba[there].argmax(axis=1) == y[there]
    _require(right.mean() >= 0.9, "columns moved when a class was absent")


def check_state(make_head: MakeHead) -> None:
    """The state is JSON and arrays, and a new head that loads it predicts the same within 1e-6."""
    X, y = example()
    head = make_head().fit(X, y, n_classes=4)
    config, arrays = head.state()
    for name, array in arrays.items():
        plain = type(array) is np.ndarray and array.dtype.kind in "fiub"
        _require(plain, f"{name!r} in the state is no plain array of numbers")
    config = json.loads(json.dumps(config, allow_nan=False))
    restored = make_head().load_state(config, {name: array.copy() for name, array in arrays.items()})
    _require_same(restored.predict_proba(X), head.predict_proba(X), "after its state was saved and loaded")


def check_deterministic(make_head: MakeHead) -> None:
    """Two heads fitted alike predict alike, and one row predicts alike alone and among others."""
    X, y = example()
    first, second = (make_head().fit(X, y, n_classes=3) for _ in range(2))
    _require_same(second.predict_proba(X), first.predict_proba(X), "when fitted twice")
    _require_same(first.predict_proba(X[:1]), first.predict_proba(X)[:1], "for a row alone")


def check_arguments_stay(make_head: MakeHead) -> None:
    """`fit` and `predict_proba` leave their arguments as they were."""
    X, y = example()
    X_before, y_before = X.copy(), y.copy()
    make_head().fit(X, y, n_classes=3).predict_proba(X)
    same = np.array_equal(X, X_before) and np.array_equal(y, y_before)
    _require(same, "the head changed the arrays that it was given")


def check_fits_again(make_head: MakeHead) -> None:
    """Fitting again starts afresh, with another number of features and classes too."""
    X, y = example()
    head = make_head().fit(*example(d=5, k=2), n_classes=2).fit(X, y, n_classes=3)
    _require_same(
        head.predict_proba(X), make_head().fit(X, y, n_classes=3).predict_proba(X), "when fitted on other rows before"
    )


def check_unfitted(make_head: MakeHead) -> None:
    """Predicting before `fit` raises HeadError."""
    try:
        make_head().predict_proba(np.zeros((1, 3), dtype=np.float32))
    except HeadError:
        return
    raise AssertionError("predict_proba before fit does not raise HeadError")


def _shapes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    X, y = example()
    constant = X.copy()
    constant[:, :4] = 7.0
    return {
        "on ordinary data": (X, y),
        "with one feature": example(d=1),
        "with constant features": (constant, y),
        "with nothing but constant features": (np.ones_like(X), y),
        "with more features than rows": example(n=12, d=40),
        "with two classes": example(k=2),
        "with one class": (X, np.zeros_like(y)),
        "with one row a class": example(n=3),
        "with rows that are all there twice": (np.concatenate([X, X]), np.concatenate([y, y])),
        "with huge and tiny features": (X * np.logspace(-6, 6, 8, dtype=np.float32), y),
        "in float64": (X.astype(np.float64), y),
    }


def _require_probabilities(proba: np.ndarray, shape: tuple[int, int], title: str) -> None:
    _require(proba.shape == shape, f"{title}: probabilities of shape {proba.shape}, not {shape}")
    _require(proba.dtype == np.float64, f"{title}: probabilities are {proba.dtype}, not float64")
    fine = bool((proba >= 0).all()) and np.allclose(proba.sum(axis=1), 1, atol=_PRECISION)
    _require(fine, f"{title}: a row of probabilities does not sum to one")


def _require_same(found: np.ndarray, expected: np.ndarray, title: str) -> None:
    difference = float(np.abs(found - expected).max())
    _require(difference <= _PRECISION, f"probabilities differ by {difference:.1g} {title}")


def _require(fine: bool | np.bool_, message: str) -> None:
    if not fine:
        raise AssertionError(message)
