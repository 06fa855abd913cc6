"""What the linear heads share: one scale, one rotation, one weight matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from icecore.heads.named import NamedHead, Penalties
from icecore.heads.scaling import rotation, standardisation
from icecore.heads.steps import Linear, Standardise, Step

Solution = tuple[np.ndarray, np.ndarray]  # weight (d, k), bias (k,)


class LinearHead(NamedHead):
    """A head whose decision values are linear in the features; its penalty does not change under rotation."""

    rotates: ClassVar[bool] = True  # whether more features than rows are worth a rotation first

    def solutions(
        self, Z: np.ndarray, codes: np.ndarray, k: int, penalties: Sequence[float], width: int
    ) -> Iterator[Solution]:
        """For each penalty a weight (r, k) and bias (k,), learnt from rotated rows Z (n, r) of `width` features."""
        raise NotImplementedError(self.name)

    def decisions(
        self, X: np.ndarray, codes: np.ndarray, k: int, X_test: np.ndarray, penalties: Penalties
    ) -> np.ndarray:
        """See `NamedHead.decisions`."""
        scale = standardisation(X)
        Z_test = scale(X_test)
        return np.stack([Z_test @ weight + bias for weight, bias in self._solved(scale, X, codes, k, penalties)])

    def _decision_steps(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        scale = standardisation(X)
        weight, bias = next(iter(self._solved(scale, X, codes, k, [self.penalty])))
        weight = weight * scale.factor[:, None]
        return [Linear(weight, bias - scale.mean @ weight)]

    def _solved(
        self, scale: Standardise, X: np.ndarray, codes: np.ndarray, k: int, penalties: Penalties
    ) -> Iterator[Solution]:
        Z = scale(X)
        Q = rotation(Z) if self.rotates else None
        strengths = [self._strength(penalty) for penalty in penalties]
        for weight, bias in self.solutions(Z if Q is None else Z @ Q, codes, k, strengths, Z.shape[1]):
            yield (weight if Q is None else Q @ weight), bias


def columns(coef: np.ndarray, intercept: np.ndarray) -> Solution:
    """scikit-learn's coefficients as weight (d, k) and bias (k,); its one row for two classes becomes two columns."""
    if len(coef) == 1:
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    return np.asarray(coef.T, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
