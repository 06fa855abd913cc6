"""Ridge regression on class indicators: one Gram matrix for every penalty, one decomposition for leave-one-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from icecore.heads import specs
from icecore.heads.calibration import temperature
from icecore.heads.inner_folds import equal_rows
from icecore.heads.linear import Solution
from icecore.heads.piecewise import PiecewiseHead
from icecore.heads.scaling import standardisation
from icecore.heads.weighting import ClassWeight, class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from icecore.heads.axes import Axes
    from icecore.heads.moments import Moments
    from icecore.heads.rows import Rows

_SMALLEST = 1e-12  # eigenvalues under this part of the largest are rounding


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows and targets, centred and weighted, so that ridge regression of one on the other needs no intercept."""

    Z: np.ndarray  # (n, d)
    Y: np.ndarray  # (n, k)
    root: np.ndarray  # (n, 1), square roots of the weights
    Z_mean: np.ndarray
    Y_mean: np.ndarray

    @staticmethod
    def of(Z: np.ndarray, codes: np.ndarray, k: int, class_weight: ClassWeight) -> Problem:
        """From rows Z (n, d) and class codes (n,). Targets are +1 and -1."""
        weights = class_weights(codes, k, class_weight)[codes]
        root, Y = np.sqrt(weights)[:, None], _targets(codes, k)
        Z_mean, Y_mean = np.average(Z, axis=0, weights=weights), np.average(Y, axis=0, weights=weights)
        return Problem(root * (Z - Z_mean), root * (Y - Y_mean), root, Z_mean, Y_mean)

    def equations(self) -> NormalEquations:
        """What its solutions are found from."""
        return NormalEquations(self.Z.T @ self.Z, self.Z.T @ self.Y, self.Z_mean, self.Y_mean)


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """(gram + penalty I) weight = right: one Gram matrix for every penalty."""

    gram: np.ndarray  # (d, d)
    right: np.ndarray  # (d, k)
    Z_mean: np.ndarray
    Y_mean: np.ndarray

    @staticmethod
    def of(moments: Moments) -> NormalEquations:
        """From the sums over rows; targets are +1 and -1."""
        weights, counts = moments.weights, moments.counts
        right = 2 * (weights * (moments.sums - counts[:, None] * moments.centre).T)
        return NormalEquations(moments.scatter, right, moments.centre, 2 * weights * counts / (weights @ counts) - 1)

    def solutions(self, penalties: Sequence[float]) -> Iterator[Solution]:
        """For each penalty a weight (d, k) and bias (k,)."""
        for penalty in penalties:
            weight = cho_solve(self.factor(penalty), self.right)
            yield weight, self.Y_mean - self.Z_mean @ weight

    def factor(self, penalty: float) -> Any:
        """The Cholesky factor of gram + penalty I, as `cho_solve` takes it."""
        held = self.gram.copy()
        held[np.diag_indices_from(held)] += penalty
        return cho_factor(held, lower=True)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The rows of a problem as U diag(s) V'."""

    problem: Problem
    U: np.ndarray  # (n, r)
    s: np.ndarray  # (r,)

    @staticmethod
    def of(problem: Problem) -> Decomposition:
        """By the eigenvectors of the smaller Gram matrix."""
        Z = problem.Z
        wide = Z.shape[1] > len(Z)
        values, vectors = np.linalg.eigh(Z @ Z.T if wide else Z.T @ Z)
        kept = values > _SMALLEST * max(values[-1], _SMALLEST)
        s, vectors = np.sqrt(values[kept]), vectors[:, kept]
        return Decomposition(problem, vectors if wide else Z @ vectors / s, s)

    def left_out(self, penalty: float, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Decision values (n, k) of every row from all rows but it and its group, by the hat matrix.

        With H the hat matrix, intercept included, the residual of rows B left out together is (I - H_BB)^-1 times their
        residual (Allen 1974; for a single row, PRESS).
        """
        Y, root = self.problem.Y, self.problem.root
        shrink = self.s**2 / (self.s**2 + penalty)
        residual = Y - self.U @ (shrink[:, None] * (self.U.T @ Y))
        intercept = root / np.linalg.norm(root)
        leverage = (self.U**2 @ shrink)[:, None] + intercept**2
        outside = residual / np.maximum(1 - leverage, 1e-10)
        for rows in groups:
            hat = (self.U[rows] * shrink) @ self.U[rows].T + intercept[rows] @ intercept[rows].T
            outside[rows] = np.linalg.lstsq(np.eye(len(rows)) - hat, residual[rows])[0]
        return np.asarray((Y - outside) / root + self.problem.Y_mean)


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
    penalties = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
    default_penalty = 0.3
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"alpha": specs.positive}
    penalty_option = "alpha"

    def solutions(self, axes: Axes, codes: np.ndarray, k: int, penalties: Sequence[float]) -> Iterator[Solution]:
        """See `LinearHead.solutions`."""
        return Problem.of(axes.rows, codes, k, self.class_weight).equations().solutions(penalties)

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
    parts = Decomposition.of(Problem.of(standardisation(X)(X), codes, k, class_weight))
    return np.stack([parts.left_out(penalty, _shared(groups)) for penalty in penalties])


def _shared(groups: np.ndarray | None) -> list[np.ndarray]:
    if groups is None:
        return []
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return [np.flatnonzero(index == i) for i in np.flatnonzero(counts > 1)]


def _targets(codes: np.ndarray, k: int) -> np.ndarray:
    """(n, k): +1 for the class, -1 for the others."""
    return np.where(codes[:, None] == np.arange(k), 1.0, -1.0)
