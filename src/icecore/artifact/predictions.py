"""What a saved model says of inputs: labels with their probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icecore.data import BadItem


@dataclass(frozen=True, slots=True)
class Prediction:
    """One input's label, its probability, and those of all classes."""

    input: str
    label: Any
    probability: float
    probabilities: dict[Any, float]


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """Predictions of the good inputs, in their order.

    Attributes:
        inputs: names of the inputs, n of them.
        rows: position of each in the data as given, (n,).
        classes: k labels.
        probabilities: (n, k).
        bad: inputs that were set aside.
        notes: sentences to say aloud, such as how many inputs were cut or resampled.
    """

    inputs: list[str]
    rows: np.ndarray
    classes: tuple[Any, ...]
    probabilities: np.ndarray
    bad: tuple[BadItem, ...]
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each input, (n,)."""
        labels: np.ndarray = label_array(self.classes)[self.probabilities.argmax(1)]
        return labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.probabilities[index]
        best = int(row.argmax())
        named = {label: float(p) for label, p in zip(self.classes, row, strict=True)}
        return Prediction(self.inputs[index], self.classes[best], float(row[best]), named)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))


def label_array(classes: Sequence[Any]) -> np.ndarray:
    """Class labels as an array: numbers and truth values as such, texts as objects."""
    kinds = {type(label) for label in classes}
    return np.array(classes, dtype=object if kinds & {str} or len(kinds) > 1 else None)
