"""What a saved model says of inputs: labels with their probabilities, sets of labels, or numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icecore.artifact.beside import Beside
from icecore.data import BadItem
from icecore.evaluation import median_classes


@dataclass(frozen=True, slots=True)
class Prediction:
    """One input's label, its probability, and those of all classes."""

    input: str
    label: Any
    probability: float
    probabilities: dict[Any, float]

    def to_json(self) -> dict[str, Any]:
        """What `predict --json` prints of it, but for the input."""
        return {
            "label": self.label,
            "probability": self.probability,
            "probabilities": {str(name): p for name, p in self.probabilities.items()},
        }

    def to_columns(self) -> dict[str, Any]:
        """The same as the columns of a table."""
        return {"label": self.label, "probability": self.probability} | _of_classes(self.probabilities)

    def shown(self) -> tuple[str, ...]:
        """The same for people."""
        return str(self.label), f"{self.probability:.3f}"


@dataclass(frozen=True, slots=True)
class LabelSetPrediction:
    """One input's labels, those whose probability reaches their threshold, and the probabilities of all."""

    input: str
    labels: tuple[Any, ...]
    probabilities: dict[Any, float]

    def to_json(self) -> dict[str, Any]:
        """What `predict --json` prints of it, but for the input."""
        return {
            "labels": list(self.labels),
            "probabilities": {str(name): p for name, p in self.probabilities.items()},
        }

    def to_columns(self) -> dict[str, Any]:
        """The same as the columns of a table, labels with `;` between them."""
        return {"labels": ";".join(map(str, self.labels))} | _of_classes(self.probabilities)

    def shown(self) -> tuple[str, ...]:
        """The same for people."""
        return ("; ".join(f"{label} ({self.probabilities[label]:.3f})" for label in self.labels) or "-",)


@dataclass(frozen=True, slots=True)
class NumberPrediction:
    """One input's number, and the interval that holds 95 % of new ones; None where it is not known."""

    input: str
    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """What `predict --json` prints of it, but for the input."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def to_columns(self) -> dict[str, Any]:
        """The same as the columns of a table."""
        return self.to_json()

    def shown(self) -> tuple[str, ...]:
        """The same for people."""
        between = "-" if self.low is None else f"{self.low:.4g} to {self.high:.4g}"
        return f"{self.value:.4g}", between


_NOTHING_BESIDE = Beside()

AnyPrediction = Prediction | LabelSetPrediction | NumberPrediction


@dataclass(frozen=True)
class Predictions(Sequence[Any]):
    """Predictions of the good inputs, in their order: one class each.

    Attributes:
        inputs: names of the inputs, n of them.
        rows: position of each in the data as given, (n,).
        classes: k labels.
        probabilities: (n, k).
        bad: inputs that were set aside.
        notes: sentences to say aloud, such as how many inputs were cut or resampled.
        beside: what is said of each input beside its prediction.
    """

    inputs: list[str]
    rows: np.ndarray
    classes: tuple[Any, ...]
    probabilities: np.ndarray
    bad: tuple[BadItem, ...]
    notes: tuple[str, ...] = ()
    beside: Beside = _NOTHING_BESIDE
    header: ClassVar[tuple[str, ...]] = ("label", "probability")

    @property
    def sets(self) -> tuple[tuple[Any, ...], ...] | None:
        """Of each input the labels that cannot be ruled out at the coverage asked for; None where none was."""
        return self.beside.sets

    @property
    def familiarity(self) -> np.ndarray | None:
        """P-values (n,): the share of training items that are as far from the others; None where it is not known."""
        return self.beside.familiarity

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each input, (n,)."""
        labels: np.ndarray = label_array(self.classes)[self._chosen(self.probabilities)]
        return labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._at(index)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def _at(self, index: int) -> AnyPrediction:
        row = self.probabilities[index]
        best = int(self._chosen(row[None])[0])
        return Prediction(self.inputs[index], self.classes[best], float(row[best]), self._named(row))

    def _named(self, row: np.ndarray) -> dict[Any, float]:
        return {label: float(p) for label, p in zip(self.classes, row, strict=True)}

    def _chosen(self, probabilities: np.ndarray) -> np.ndarray:
        """The class code of each row of probabilities."""
        chosen: np.ndarray = probabilities.argmax(1)
        return chosen


class RankPredictions(Predictions):
    """The same for classes in an order: the median of the probabilities is predicted, the least far off in ranks."""

    def _chosen(self, probabilities: np.ndarray) -> np.ndarray:
        return median_classes(probabilities)


@dataclass(frozen=True)
class LabelSetPredictions(Predictions):
    """The same for several labels each; probabilities are each label's own.

    Attributes:
        thresholds: (k,), from which on a label is predicted.
    """

    thresholds: np.ndarray | None = None
    header: ClassVar[tuple[str, ...]] = ("labels",)

    @property
    def labels(self) -> np.ndarray:
        """The labels of each input as a tuple, (n,)."""
        found = np.empty(len(self), object)
        found[:] = [self._labels(row) for row in self.probabilities]
        return found

    @property
    def indicators(self) -> np.ndarray:
        """Whether each input has each label, (n, k)."""
        reached: np.ndarray = self.probabilities >= (0.5 if self.thresholds is None else self.thresholds)
        return reached

    def _at(self, index: int) -> AnyPrediction:
        row = self.probabilities[index]
        return LabelSetPrediction(self.inputs[index], self._labels(row), self._named(row))

    def _labels(self, row: np.ndarray) -> tuple[Any, ...]:
        reached = row >= (0.5 if self.thresholds is None else self.thresholds)
        return tuple(label for label, own in zip(self.classes, reached, strict=True) if own)


@dataclass(frozen=True)
class NumberPredictions(Predictions):
    """The same for numbers: there are no classes and no probabilities.

    Attributes:
        values: (n,).
        half_width: of the interval around each that holds 95 % of new ones; None where it is not known.
    """

    values: np.ndarray | None = None
    half_width: float | None = None
    header: ClassVar[tuple[str, ...]] = ("value", "95 % interval")

    @property
    def labels(self) -> np.ndarray:
        """The numbers, (n,), under the name that predictions have for classes."""
        return np.empty(0) if self.values is None else self.values

    def _at(self, index: int) -> AnyPrediction:
        value, half = float(self.labels[index]), self.half_width
        if half is None:
            return NumberPrediction(self.inputs[index], value, None, None)
        return NumberPrediction(self.inputs[index], value, value - half, value + half)


def label_array(classes: Sequence[Any]) -> np.ndarray:
    """Class labels as an array: numbers and truth values as such, texts as objects."""
    kinds = {type(label) for label in classes}
    return np.array(classes, dtype=object if kinds & {str} or len(kinds) > 1 else None)


def _of_classes(probabilities: dict[Any, float]) -> dict[str, float]:
    return {f"p:{name}": value for name, value in probabilities.items()}
