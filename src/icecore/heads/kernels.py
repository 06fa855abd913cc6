"""Kernel steps: decision values from similarities to support vectors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from icecore.heads.steps import Step


def rbf(X: np.ndarray, rows: np.ndarray, gamma: float) -> np.ndarray:
    """exp(-gamma * squared distance), (n, m), of X (n, d) to rows (m, d)."""
    gram: np.ndarray = X @ rows.T
    gram *= 2
    gram -= np.einsum("nd,nd->n", X, X)[:, None]
    gram -= np.einsum("md,md->m", rows, rows)
    np.minimum(gram, 0, out=gram)
    gram *= gamma
    np.exp(gram, out=gram)
    return gram


@dataclass(frozen=True, eq=False)
class Kernel(Step):
    """k(x, support) @ weight + bias, with scikit-learn's kernels rbf, linear, poly and sigmoid."""

    kind: ClassVar[str] = "kernel.v1"
    support: np.ndarray  # (m, d)
    weight: np.ndarray  # (m, k)
    bias: np.ndarray  # (k,)
    gamma: float
    kernel: str = "rbf"
    degree: float = 3.0
    coef0: float = 0.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k)."""
        X, support = X.astype(np.float64, copy=False), self.support.astype(np.float64, copy=False)
        return np.asarray(self._similarity(X, support) @ self.weight + self.bias)

    def _similarity(self, X: np.ndarray, support: np.ndarray) -> np.ndarray:
        if self.kernel == "rbf":
            return rbf(X, support, self.gamma)
        gram = X @ support.T
        if self.kernel == "linear":
            return np.asarray(gram)
        shifted = self.gamma * gram + self.coef0
        return np.asarray(shifted**self.degree if self.kernel == "poly" else np.tanh(shifted))


@dataclass(frozen=True, eq=False)
class Votes(Step):
    """One decision value for each pair of classes -> votes for each class, ties broken by the sum of the values.

    This is scikit-learn's `decision_function_shape="ovr"` of `SVC`, to the last bit of its meaning.
    """

    kind: ClassVar[str] = "votes.v1"
    n_classes: int

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, k (k - 1) / 2), positive for the first class of a pair, to (n, k)."""
        votes, total = np.zeros((2, len(X), self.n_classes))
        for column, (first, second) in enumerate(combinations(range(self.n_classes), 2)):
            value = X[:, column]
            votes[:, first] += value >= 0
            votes[:, second] += value < 0
            total[:, first] += value
            total[:, second] -= value
        return np.asarray(votes + total / (3 * (np.abs(total) + 1)))
