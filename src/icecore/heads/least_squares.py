"""Ridge regression: one Gram matrix for every penalty, one decomposition for leave-one-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from icecore.heads.linear import Solution
    from icecore.heads.moments import Moments

_SMALLEST = 1e-12  # eigenvalues under this part of the largest are rounding
_LEAST = 1e-10  # of what is left of a row when itself is left out


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows and targets, centred and weighted, so that ridge regression of one on the other needs no intercept."""

    Z: np.ndarray  # (n, d)
    Y: np.ndarray  # (n, k)
    root: np.ndarray  # (n, 1), square roots of the weights
    Z_mean: np.ndarray
    Y_mean: np.ndarray

    @staticmethod
    def of(Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None) -> Problem:
        """From rows Z (n, d), targets (n, k), and a weight for each row, (n,)."""
        weights = np.ones(len(Z)) if weights is None else weights
        root = np.sqrt(weights)[:, None]
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
        """From the sums over rows of classes; targets are +1 and -1."""
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
        """Values (n, k) of every row from all rows but it and its group, by the hat matrix.

        With H the hat matrix, intercept included, the residual of rows B left out together is (I - H_BB)^-1 times their
        residual (Allen 1974; for a single row, PRESS).
        """
        Y, root = self.problem.Y, self.problem.root
        shrink = self.s**2 / (self.s**2 + penalty)
        residual = Y - self.U @ (shrink[:, None] * (self.U.T @ Y))
        intercept = root / np.linalg.norm(root)
        leverage = (self.U**2 @ shrink)[:, None] + intercept**2
        outside = residual / np.maximum(1 - leverage, _LEAST)
        for rows in groups:
            part = self.U[rows] * np.sqrt(shrink)
            hat = part @ part.T + intercept[rows] @ intercept[rows].T
            outside[rows] = _solution(np.eye(len(rows)) - hat, residual[rows])
        return np.asarray((Y - outside) / root + self.problem.Y_mean)


def _solution(A: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of A x = right, A symmetric and without negative eigenvalues; the smallest where there are many."""
    try:
        factor = cho_factor(A, lower=True)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(A, right)[0])
    certain = np.square(np.diag(factor[0])).min() > _LEAST
    return np.asarray(cho_solve(factor, right) if certain else np.linalg.lstsq(A, right)[0])


def shared(groups: np.ndarray | None) -> list[np.ndarray]:
    """The positions of each group (n,) of more than one row."""
    if groups is None:
        return []
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return [np.flatnonzero(index == i) for i in np.flatnonzero(counts > 1)]
