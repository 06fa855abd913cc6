"""Ridge regression of a number, its penalty from leave-one-out in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from icecore.heads import checks, specs
from icecore.heads.inner_folds import equal_rows
from icecore.heads.least_squares import Decomposition, NormalEquations, Problem, shared
from icecore.heads.linear import on_features
from icecore.heads.moments import Moments
from icecore.heads.named import Penalties
from icecore.heads.numbers import NamedRegressor, Unit
from icecore.heads.rows import some_rows
from icecore.heads.split import Sides
from icecore.heads.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.axes import Axes
    from icecore.heads.rows import Rows


class RidgeRegressor(NamedRegressor):
    """Ridge regression. `penalty` is alpha, on rows of mean squared length one (see `scaling`).

    Without one it is that of the grid whose leave-one-out error is least (Allen 1974), which the one decomposition that
    all penalties share gives exactly; equal rows are left out together.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(50, 4)).astype("float32")
        >>> RidgeRegressor("alpha=0.01").fit(X, 3 * X[:, 0] + 7).predict(np.float32([[1, 0, 0, 0]])).round(1).tolist()
        [10.0]
    """

    name = "ridge"
    penalties = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"alpha": specs.positive}
    penalty_option = "alpha"

    def values(self, sides: Sides, y: np.ndarray, penalties: Penalties) -> np.ndarray:
        """See `NamedRegressor.values`. One decomposition serves every penalty."""
        held = [self._held(penalty, sides, y) for penalty in penalties]
        return np.stack([sides.along_axes @ _weight(sides.axes, y, each) for each in held])

    def fit_in_pieces(self, X: Rows, y: np.ndarray) -> Self:
        """Fit as `fit` does, to the same head but for rounding, on rows that are read piece by piece.

        A penalty that nobody named comes from 4,000 rows. Raises HeadError like `fit`.
        """
        y = checks.numbers_of(y, X.shape)
        unit, some = Unit.of(y), some_rows(len(X), self.seed)
        penalty = self._held(self.penalty, Sides(X[some]), unit.to(y[some]))
        moments = Moments.of_numbers(X)
        right = moments.products(X, unit.to(y))
        equations = NormalEquations(moments.scatter, right[:, None], moments.centre, np.zeros(1))
        return self._become([on_features(moments.scale, *next(equations.solutions([penalty]))), unit.back], X.shape[1])

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        sides = Sides(X)
        weight = sides.axes.basis @ _weight(sides.axes, y, self._held(self.penalty, sides, y))
        return [on_features(sides.scale, weight[:, None], np.zeros(1))]

    def _held(self, penalty: float | None, sides: Sides, y: np.ndarray) -> float:
        """The penalty asked for, or the best by leave-one-out."""
        if penalty is not None or self.pinned:
            return self._strength(penalty)
        grid = [each for each in self.penalties if each is not None]
        errors = np.square(left_out(sides.axes, y, grid, equal_rows(sides.X)) - y).sum(axis=1)
        return grid[int(errors.argmin())]  # of equal ones the simplest, which comes first


def left_out(axes: Axes, y: np.ndarray, penalties: Sequence[float], groups: np.ndarray | None = None) -> np.ndarray:
    """Values (len(penalties), n) of every row from all rows but it and its group, for numbers y (n,)."""
    parts = Decomposition(Problem.of(axes.rows, y[:, None]), axes.rows / np.sqrt(axes.squares), np.sqrt(axes.squares))
    return np.stack([parts.left_out(penalty, shared(groups))[:, 0] for penalty in penalties])


def _weight(axes: Axes, y: np.ndarray, penalty: float) -> np.ndarray:
    """(r,): along principal axes the Gram matrix is diagonal. Rows and numbers have mean zero."""
    weight: np.ndarray = axes.rows.T @ y / (axes.squares + penalty)
    return weight
