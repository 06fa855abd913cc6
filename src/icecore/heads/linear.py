"""What the linear heads share: one scale, one turn to the principal axes, one weight matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from icecore.heads.axes import Axes
from icecore.heads.named import NamedHead, Penalties
from icecore.heads.split import Split
from icecore.heads.steps import Linear, Standardise, Step

Solution = tuple[np.ndarray, np.ndarray]  # weight (r, k), bias (k,)


class LinearHead(NamedHead):
    """A head whose decision values are linear in the features; its penalty does not change under rotation."""

    def solutions(self, axes: Axes, codes: np.ndarray, k: int, penalties: Sequence[float]) -> Iterator[Solution]:
        """For each penalty a weight (r, k) and bias (k,), learnt from rows along their axes."""
        raise NotImplementedError(self.name)

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.decisions`."""
        strengths = [self._strength(penalty) for penalty in penalties]
        solved = self.solutions(split.axes, split.codes, split.k, strengths)
        return np.stack([split.along_axes @ weight + bias for weight, bias in solved])

    def _decision_steps(self, split: Split) -> list[Step]:
        strength = self._strength(self.penalty)
        weight, bias = next(iter(self.solutions(split.axes, split.codes, split.k, [strength])))
        return [on_features(split.scale, split.axes.basis @ weight, bias)]


def on_features(scale: Standardise, weight: np.ndarray, bias: np.ndarray) -> Linear:
    """A weight (d, k) and bias for standardised rows, as a step for features as they are."""
    weight = weight * scale.factor[:, None]
    return Linear(weight, bias - scale.mean @ weight)
