"""Nearest neighbours as a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.neighbors import NearestNeighbors

from icecore.heads.steps import Step


@dataclass(frozen=True, eq=False)
class Neighbours(Step):
    """Shares of the votes of the `n_neighbors` nearest rows, each vote weighing `class_weights` of its class.

    `prior` votes are spread evenly over the classes, so that no class is ever called impossible; the order of the
    classes stays. With `weights` "distance" a vote counts the inverse of its distance, as in scikit-learn.
    """

    kind: ClassVar[str] = "neighbours.v1"
    rows: np.ndarray  # (m, d)
    codes: np.ndarray  # (m,)
    class_weights: np.ndarray  # (k,)
    n_neighbors: int
    prior: float = 0.0
    weights: str = "uniform"
    metric: str = "euclidean"
    p: float = 2.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k), rows sum to one."""
        distances, index = nearest(self.rows, X, self.n_neighbors, self.metric, self.p)
        return shares(votes(distances, self.weights), self.codes[index], self.class_weights, self.prior)


@dataclass(frozen=True, eq=False)
class NeighbourMean(Step):
    """The mean number of the `n_neighbors` nearest rows; see `Neighbours` for the other fields."""

    kind: ClassVar[str] = "neighbour-mean.v1"
    rows: np.ndarray  # (m, d)
    numbers: np.ndarray  # (m,)
    n_neighbors: int
    weights: str = "uniform"
    metric: str = "euclidean"
    p: float = 2.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, d) to (n, 1)."""
        distances, index = nearest(self.rows, X, self.n_neighbors, self.metric, self.p)
        found = votes(distances, self.weights)
        return np.asarray((found * self.numbers[index]).sum(axis=1, keepdims=True) / found.sum(axis=1, keepdims=True))


def votes(distances: np.ndarray, weights: str) -> np.ndarray:
    """How much each neighbour counts (n, k): one, or with `distance` the inverse of its distance."""
    if weights == "uniform":
        return np.ones_like(distances)
    with np.errstate(divide="ignore"):
        found = 1 / distances
    same = np.isinf(found)  # a row at distance 0 outvotes all that are not
    return np.where(same.any(axis=1, keepdims=True), same.astype(found.dtype), found)


def nearest(
    rows: np.ndarray, X: np.ndarray, n_neighbors: int, metric: str = "euclidean", p: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (n, n_neighbors) of the nearest rows, or of all rows where there are fewer."""
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(rows)), algorithm="brute", metric=metric, p=p)
    distances, index = search.fit(rows).kneighbors(X.astype(rows.dtype, copy=False))
    return distances, index


def shares(counts: np.ndarray, codes: np.ndarray, class_weights: np.ndarray, prior: float) -> np.ndarray:
    """Votes (n, m) for codes (n, m) -> shares (n, k)."""
    k = len(class_weights)
    weighted = counts * class_weights[codes]
    total = np.stack([np.where(codes == c, weighted, 0).sum(axis=1) for c in range(k)], axis=1) + prior / k
    return np.asarray(total / total.sum(axis=1, keepdims=True))
