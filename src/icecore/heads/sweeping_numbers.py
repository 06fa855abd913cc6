"""Out-of-fold numbers for every penalty of a regressor, cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.heads import checks
from icecore.heads.making_numbers import make_regressor
from icecore.heads.numbers import NamedRegressor, Unit
from icecore.heads.ridge_numbers import left_out
from icecore.heads.split import Sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icecore.heads.out_of_fold import Folds
    from icecore.heads.sweeping_answers import Tries


def sweep_numbers(tries: Tries, X: np.ndarray, y: np.ndarray, folds: Folds, *, seed: int = 0) -> list[np.ndarray]:
    """Values of every row, for several regressors each with penalties, from folds that did not train on it.

    As `sweep_all`: the scale and the principal axes are computed once a fold for all heads, along which ridge costs a
    product a penalty; one kernel or one search for neighbours serves all penalties.

    Args:
        tries: specs as for `make_regressor`, each with its penalties.
        X: features (n, d).
        y: numbers (n,).
        folds: pairs of row indices (training, testing).
        seed: as for `make_regressor`.

    Returns:
        for each of the tries float64 (len(penalties), n); NaN in rows that no fold tests.

    Example:
        >>> X, y = np.eye(4, dtype="float32"), np.arange(4.0)
        >>> [found.shape for found in sweep_numbers([("ridge", [1.0, 0.1])], X, y, [(np.arange(3), np.array([3]))])]
        [(2, 4)]
    """
    X, y = checks.numbers(X, y)
    sizes = [len(grid) for _, grid in tries]
    total, times = np.zeros((sum(sizes), len(X))), np.zeros(len(X))
    for train, test in folds:
        sides = Sides(X[train], X[test])
        total[:, test] += np.concatenate([_values(spec, grid, sides, y[train], seed) for spec, grid in tries])
        times[test] += 1
    mean = np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0)
    return np.split(mean, np.cumsum(sizes)[:-1])


def ridge_loo_numbers(
    X: np.ndarray, y: np.ndarray, penalties: Sequence[float], *, groups: np.ndarray | None = None
) -> np.ndarray:
    """Ridge values of every row from all rows but it, for every penalty, from one decomposition.

    Args:
        X: features (n, d).
        y: numbers (n,).
        penalties: alphas, on rows of mean squared length one, as for the regressor `ridge`.
        groups: a number for every row (n,); rows of one group are left out together.

    Returns:
        float64 (len(penalties), n). Means and spreads of the features are those of all rows.

    Example:
        >>> ridge_loo_numbers(np.eye(4, dtype="float32"), np.arange(4.0), [1.0]).shape
        (1, 4)
    """
    X, y = checks.numbers(X, y)
    return left_out(Sides(X).axes, y, penalties, groups)


def _values(spec: Any, penalties: Sequence[float | None], sides: Sides, y: np.ndarray, seed: int) -> np.ndarray:
    head = make_regressor(spec, seed=seed)
    if isinstance(head, NamedRegressor):
        unit = Unit.of(y)
        return head.values(sides, unit.to(y), penalties) * unit.spread + unit.mean
    made = (make_regressor(spec, penalty=penalty, seed=seed) for penalty in penalties)
    return np.stack([one.fit(sides.X, y).predict(sides.X_test) for one in made])
