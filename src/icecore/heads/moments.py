"""What one pass over rows leaves: all that scale, principal axes and ridge regression need to know of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.heads import checks
from icecore.heads.axes import principal
from icecore.heads.rows import Rows, pieces
from icecore.heads.scaling import scale_of
from icecore.heads.steps import Standardise


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows, on the scale of all of them.

    Attributes:
        scale: as `standardisation` learns it.
        counts: rows of each class, (k,).
        weights: of each class, (k,).
        centre: weighted mean of the rows, (d,).
        sums: of the rows of each class, (k, d).
        scatter: weighted sum of (z - centre) (z - centre)', (d, d).
    """

    scale: Standardise
    counts: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    sums: np.ndarray
    scatter: np.ndarray

    @staticmethod
    def of(X: Rows, codes: np.ndarray, weights: np.ndarray) -> Moments:
        """Of rows X (n, d) with class codes 0..k-1, none absent. Raises HeadError for NaN or infinity."""
        d, k = X.shape[1], len(weights)
        sums, squares, scatter = np.zeros((k, d)), np.zeros(d), np.zeros((d, d))
        near = X[: min(len(X), 1000)].mean(axis=0, dtype=np.float64)  # far from zero squares would lose their digits
        for at, found in pieces(X):
            rows, own = checks.features(found, d) - near, codes[at]
            squares += np.einsum("nd,nd->d", rows, rows)
            sums += (own == np.arange(k)[:, None]).astype(np.float64) @ rows
            scatter += rows.T @ (rows * weights[own, None])
        counts = np.bincount(codes, minlength=k)
        mean, centre = sums.sum(axis=0) / len(X), weights @ sums / (weights @ counts)
        scale = scale_of(near + mean, np.sqrt(np.maximum(squares / len(X) - mean**2, 0)))
        scatter -= weights @ counts * np.outer(centre, centre)
        by = scale.factor
        return Moments(
            scale, counts, weights, (centre - mean) * by, (sums - counts[:, None] * mean) * by,
            scatter * by * by[:, None],
        )  # fmt: skip

    @staticmethod
    def of_numbers(X: Rows) -> Moments:
        """Of rows (n, d) without classes. Raises HeadError for NaN or infinity."""
        return Moments.of(X, np.zeros(len(X), np.int64), np.ones(1))

    def products(self, X: Rows, y: np.ndarray) -> np.ndarray:
        """The sum over rows of (z - centre) * y, (d,), from one more pass over rows without classes."""
        total = np.zeros(X.shape[1])
        for at, rows in pieces(X):
            total += (self.scale(rows) - self.centre).T @ y[at]
        return total

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The sum of squares along each principal axis (r,), and the axes (d, r)."""
        return principal(self.scatter)
