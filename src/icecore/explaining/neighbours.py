"""The training items that an input is most like, by the features that the head reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training item near an input.

    Attributes:
        row: its place in the evidence.
        input: its name, or its text.
        label: that it has.
        similarity: cosine of the two about the mean of the training items, each feature on its own scale.
    """

    row: int
    input: str
    label: Any
    similarity: float


class Remembered:
    """The features of training items, to be searched.

    Args:
        features: (n, d), rows of NaN where there are none.
        names: of the items.
        labels: of the items.
    """

    def __init__(self, features: np.ndarray, names: Sequence[str], labels: Sequence[Any]) -> None:
        self._rows = np.flatnonzero(np.isfinite(features).all(1))
        own = features[self._rows]
        self.centre = own.mean(0, dtype=np.float64)
        spread = own.std(0, dtype=np.float64)
        self._scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        self._units = self._unit(own)
        self._names, self._labels = names, labels

    def nearest(self, features: np.ndarray, most: int = 5) -> list[list[Neighbour]]:
        """Of each row (m, d) the nearest training items, the most similar first."""
        cosines = self._unit(features) @ self._units.T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
        return [
            [self._neighbour(int(at), float(own[at])) for at in best] for own, best in zip(cosines, order, strict=True)
        ]

    def _neighbour(self, at: int, similarity: float) -> Neighbour:
        row = int(self._rows[at])
        return Neighbour(row, self._names[row], self._labels[row], similarity)

    def _unit(self, X: np.ndarray) -> np.ndarray:
        Z = np.asarray((X - self.centre) * self._scale, np.float32)
        length = np.linalg.norm(Z, axis=1, keepdims=True)
        return np.asarray(np.divide(Z, length, out=np.zeros_like(Z), where=length > 0))
