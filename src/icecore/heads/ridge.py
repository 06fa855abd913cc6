"""Ridge regression on class indicators: one decomposition gives every penalty and every leave-one-out value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import specs
from icecore.heads.calibration import temperature
from icecore.heads.inner_folds import equal_rows
from icecore.heads.linear import LinearHead, Solution
from icecore.heads.scaling import rotation, standardisation
from icecore.heads.weighting import ClassWeight, class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

_SMALLEST = 1e-12  # eigenvalues under this part of the largest are rounding


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Weighted, centred rows as U diag(s) V', and the targets in the same scale."""

    U: np.ndarray  # (n, r)
    s: np.ndarray  # (r,)
    V: np.ndarray  # (d, r)
    Y: np.ndarray  # (n, k), centred and weighted
    root: np.ndarray  # (n, 1), square roots of the weights
    Z_mean: np.ndarray
    Y_mean: np.ndarray

    def solution(self, penalty: float) -> Solution:
        """Weight (d, k) and bias (k,)."""
        weight = self.V @ ((self.s / (self.s**2 + penalty))[:, None] * (self.U.T @ self.Y))
        return weight, self.Y_mean - self.Z_mean @ weight

    def left_out(self, penalty: float, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Decision values (n, k) of every row from all rows but it and its group, by the hat matrix.

        With H the hat matrix, intercept included, the residual of rows B left out together is (I - H_BB)^-1 times their
        residual (Allen 1974; for a single row, PRESS).
        """
        shrink = self.s**2 / (self.s**2 + penalty)
        residual = self.Y - self.U @ (shrink[:, None] * (self.U.T @ self.Y))
        intercept = self.root / np.linalg.norm(self.root)
        leverage = (self.U**2 @ shrink)[:, None] + intercept**2
        outside = residual / np.maximum(1 - leverage, 1e-10)
        for rows in groups:
            hat = (self.U[rows] * shrink) @ self.U[rows].T + intercept[rows] @ intercept[rows].T
            outside[rows] = np.linalg.lstsq(np.eye(len(rows)) - hat, residual[rows])[0]
        return np.asarray((self.Y - outside) / self.root + self.Y_mean)


def decompose(Z: np.ndarray, codes: np.ndarray, k: int, class_weight: ClassWeight) -> Decomposition:
    """Decompose rows Z (n, d) once, by the eigenvectors of the smaller Gram matrix. Targets are +1 and -1."""
    weights = class_weights(codes, k, class_weight)[codes]
    root, Y = np.sqrt(weights)[:, None], np.where(codes[:, None] == np.arange(k), 1.0, -1.0)
    Z_mean, Y_mean = np.average(Z, axis=0, weights=weights), np.average(Y, axis=0, weights=weights)
    centred = root * (Z - Z_mean)
    values, V = np.linalg.eigh(centred.T @ centred)
    kept = values > _SMALLEST * max(values[-1], _SMALLEST)
    s, V = np.sqrt(values[kept]), V[:, kept]
    return Decomposition(centred @ V / s, s, V, root * (Y - Y_mean), root, Z_mean, Y_mean)


class RidgeHead(LinearHead):
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

    def solutions(
        self, Z: np.ndarray, codes: np.ndarray, k: int, penalties: Sequence[float], width: int
    ) -> Iterator[Solution]:
        """See `LinearHead.solutions`."""
        del width
        parts = decompose(Z, codes, k, self.class_weight)
        for penalty in penalties:
            yield parts.solution(penalty)

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
    Z = standardisation(X)(X)
    Q = rotation(Z)
    parts = decompose(Z if Q is None else Z @ Q, codes, k, class_weight)
    return np.stack([parts.left_out(penalty, _shared(groups)) for penalty in penalties])


def _shared(groups: np.ndarray | None) -> list[np.ndarray]:
    if groups is None:
        return []
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return [np.flatnonzero(index == i) for i in np.flatnonzero(counts > 1)]
