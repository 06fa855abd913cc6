"""Ridge regression on class indicators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from icecore.heads import specs
from icecore.heads.inner_folds import equal_rows
from icecore.heads.least_squares import Decomposition, NormalEquations, Problem, shared
from icecore.heads.linear import Solution
from icecore.heads.piecewise import PiecewiseHead
from icecore.heads.ridge_numbers import RidgeRegressor
from icecore.heads.scaling import standardisation
from icecore.heads.temperature import temperature
from icecore.heads.weighting import ClassWeight, class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.axes import Axes
    from icecore.heads.moments import Moments
    from icecore.heads.named import Penalties
    from icecore.heads.rows import Rows
    from icecore.heads.split import Sides


class RidgeHead(PiecewiseHead):
    """Ridge classification. `penalty` is alpha, on rows of mean squared length one (see `scaling`).

    Its temperature comes from leave-one-out decision values, which cost nothing more.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> RidgeHead("alpha=0.1").fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "ridge"
    regressor = RidgeRegressor
    penalties = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
    default_penalty = 0.3
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"alpha": specs.positive}
    penalty_option = "alpha"

    def solutions(self, axes: Axes, codes: np.ndarray, k: int, penalties: Sequence[float]) -> Iterator[Solution]:
        """See `LinearHead.solutions`."""
        return _problem(axes.rows, codes, k, self.class_weight).equations().solutions(penalties)

    def answers(self, sides: Sides, answers: np.ndarray, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.answers`. Where no class is weighted, one Gram matrix serves every question."""
        if self.class_weight is not None:
            return super().answers(sides, answers, penalties)
        problem = Problem.of(sides.axes.rows, np.where(answers, 1.0, -1.0))
        solved = problem.equations().solutions([self._strength(penalty) for penalty in penalties])
        return 2 * np.stack([sides.along_axes @ weight + bias for weight, bias in solved])

    def solution_in_pieces(self, moments: Moments, X: Rows, codes: np.ndarray, k: int, penalty: float) -> Solution:
        """See `PiecewiseHead.solution_in_pieces`. The moments say all."""
        del X, codes, k
        return next(NormalEquations.of(moments).solutions([penalty]))

    def temperature_in_pieces(
        self, moments: Moments, rows: np.ndarray, codes: np.ndarray, solution: Solution, penalty: float
    ) -> float:
        """See `PiecewiseHead.temperature_in_pieces`: from the value of each row without it, equal ones staying."""
        weight, bias = solution
        Z, weights = moments.scale(rows), moments.weights[codes]
        reached = solve_triangular(NormalEquations.of(moments).factor(penalty)[0], (Z - moments.centre).T, lower=True)
        leverage = weights * (np.square(reached).sum(axis=0) + 1 / (moments.weights @ moments.counts))
        Y, values = _targets(codes, len(bias)), Z @ weight + bias
        return temperature(Y - (Y - values) / np.maximum(1 - leverage, 1e-10)[:, None], codes)

    def _temperature(self, X: np.ndarray, codes: np.ndarray, k: int) -> float:
        strength = self._strength(self.penalty)
        weight, groups = self.class_weight, equal_rows(X)
        return temperature(leave_one_out(X, codes, k, [strength], class_weight=weight, groups=groups)[0], codes)


def leave_one_out(
    X: np.ndarray,
    codes: np.ndarray,
    k: int,
    penalties: Sequence[float],
    *,
    class_weight: ClassWeight = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Decision values (len(penalties), n, k); the scale is learnt from all rows, which looks at no class."""
    parts = Decomposition.of(_problem(standardisation(X)(X), codes, k, class_weight))
    return np.stack([parts.left_out(penalty, shared(groups)) for penalty in penalties])


def _problem(Z: np.ndarray, codes: np.ndarray, k: int, class_weight: ClassWeight) -> Problem:
    """From rows Z (n, d) and class codes (n,)."""
    return Problem.of(Z, _targets(codes, k), class_weights(codes, k, class_weight)[codes])


def _targets(codes: np.ndarray, k: int) -> np.ndarray:
    """(n, k): +1 for the class, -1 for the others."""
    return np.where(codes[:, None] == np.arange(k), 1.0, -1.0)
