"""Nearest class mean."""

from __future__ import annotations

import numpy as np

from icecore.heads.named import NamedHead, Penalties
from icecore.heads.split import Split
from icecore.heads.steps import Linear, Normalise, Step


def class_means(Z: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """The mean row (k, d) of each class."""
    own = (codes == np.arange(k)[:, None]).astype(np.float64)
    return np.asarray(own @ Z / own.sum(axis=1, keepdims=True))


class CentroidHead(NamedHead):
    """Nearest class mean, on standardised rows of length one. Every class counts the same, whatever `class_weight` is.

    The nearest mean m is the one with the largest x @ m - m @ m / 2, which is linear in x.

    Example:
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> CentroidHead().fit(X, y, n_classes=2).predict_proba(X).argmax(1).tolist()
        [0, 0, 1, 1]
    """

    name = "centroid"

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.decisions`. There is no penalty: the same values for all."""
        values = split.Z_test
        for step in _after_scale(split):
            values = step(values)
        return np.stack([values] * len(penalties))

    def _decision_steps(self, split: Split) -> list[Step]:
        return [split.scale, *_after_scale(split)]


def _after_scale(split: Split) -> list[Step]:
    unit = Normalise()
    means = class_means(unit(split.Z), split.codes, split.k)
    return [unit, Linear(np.ascontiguousarray(means.T), -np.square(means).sum(axis=1) / 2)]
