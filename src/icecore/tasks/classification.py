"""One class a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import heads
from icecore.errors import DataError
from icecore.evaluation import metrics
from icecore.tasks.base import ClassWeight, Metrics, Task, Tries, balance

if TYPE_CHECKING:
    from icecore.evaluation import Fold


@dataclass(frozen=True)
class Classification(Task):
    """Classes as codes (n,); a head says a probability for each.

    Example:
        >>> Classification(("cat", "dog")).encode(["dog", "cat"], "species").tolist()
        [1, 0]
    """

    name = "classification"
    score_name = "accuracy"
    floor_name = "majority_class"

    @staticmethod
    def of(name: str, values: Sequence[Any]) -> Classification:
        """The classes that there are, sorted. Raises DataError where these are not at least two."""
        classes = sorted_labels(set(values))
        if len(classes) < 2:
            came = f"the only label is {classes[0]!r}" if classes else "there are no labelled items"
            raise DataError(f"The target {name!r} cannot be learned: {came}.", expected="At least two classes.")
        return Classification(tuple(classes))

    @property
    def described(self) -> str:
        """See `Task.described`."""
        return f"{len(self.classes)} classes"

    def encode(self, values: Sequence[Any], name: str) -> np.ndarray:
        """See `Task.encode`. A table of texts says "3" for the class 3."""
        return codes_of(values, name, self.classes)

    def sweep(
        self, tries: Tries, X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], *, class_weight: ClassWeight, seed: int
    ) -> list[np.ndarray]:
        """See `Task.sweep`: (penalties, n, k)."""
        return heads.sweep_all(tries, X, y, len(self.classes), folds, class_weight=class_weight, seed=seed)

    def gains(self, y: np.ndarray, values: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
        """See `Task.gains`: whether it is right; of classes that count alike, more for the rare."""
        return np.asarray((values.argmax(axis=2) == y) * balance(y, class_weight))

    def screened(
        self, left_out: Callable[[np.ndarray], np.ndarray], y: np.ndarray, class_weight: ClassWeight
    ) -> np.ndarray:
        """See `Task.screened`."""
        return np.asarray(self.gains(y, left_out(np.eye(len(self.classes))[y])[None], class_weight)[0])

    def floor(self, y: np.ndarray) -> np.ndarray:
        """See `Task.floor`: the shares of the classes."""
        return np.asarray(np.bincount(y, minlength=len(self.classes)) / len(y))

    def metrics(
        self,
        y: np.ndarray,
        said: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        seed: int = 0,
    ) -> Metrics:
        """See `icecore.evaluation.metrics`."""
        return metrics(y, said, len(self.classes), weights=weights, groups=groups, seed=seed)


def sorted_labels(labels: set[Any]) -> list[Any]:
    """Labels in their order; those of different types have none of their own."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def codes_of(values: Sequence[Any], name: str, classes: Sequence[Any]) -> np.ndarray:
    """Class codes of labels, (n,). A table of texts says "3" for the class 3. Raises DataError for unknown labels."""
    code = {label: number for number, label in enumerate(classes)}
    spelled = {text: number for label, number in code.items() for text in spellings(label)}
    found = [code.get(value, next((spelled[t] for t in spellings(value) if t in spelled), -1)) for value in values]
    unknown = sorted({str(value) for value, number in zip(values, found, strict=True) if number < 0})
    if unknown:
        raise DataError(
            f"The data has labels of {name!r} that the model does not know: {', '.join(unknown[:5])}.",
            expected=f"Its classes are {', '.join(map(str, classes))}.",
            do="Evaluate on data with these classes, or fit again with the new ones.",
        )
    return np.array(found, dtype=np.int64)


def spellings(label: Any) -> tuple[str, ...]:
    """How a label may be written: a number that is whole also without a fraction."""
    whole = isinstance(label, float) and label.is_integer()
    return (str(label), str(int(label))) if whole else (str(label),)
