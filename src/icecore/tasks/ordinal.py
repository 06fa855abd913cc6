"""Classes in an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import heads
from icecore.errors import DataError
from icecore.evaluation import median_classes, rank_metrics
from icecore.tasks.base import ClassWeight, Metrics, Task, Tries, balance
from icecore.tasks.classification import codes_of, sorted_labels, spellings

if TYPE_CHECKING:
    from icecore.evaluation import Fold


@dataclass(frozen=True)
class Ordinal(Task):
    """Classes as codes in their order, (n,), the lowest 0. A head says a probability for each; the median is predicted.

    Example:
        >>> Ordinal.of("size", ["10", "9", "11"]).classes
        ('9', '10', '11')
    """

    name = "ordinal"
    score_name = "closeness in ranks"
    floor_name = "median_class"

    @staticmethod
    def of(name: str, values: Sequence[Any], order: Sequence[Any] | None = None) -> Ordinal:
        """The classes in the order that is given, or of numbers in theirs. Raises DataError where there is none."""
        found = set(values)
        classes = _by_number(found, name) if order is None else _as_ordered(found, name, order)
        if len(classes) < 2:
            raise DataError(f"The target {name!r} has {len(classes)} class.", expected="At least two, in an order.")
        return Ordinal(tuple(classes))

    @property
    def described(self) -> str:
        """See `Task.described`."""
        return f"{len(self.classes)} classes in order"

    def encode(self, values: Sequence[Any], name: str) -> np.ndarray:
        """See `Task.encode`."""
        return codes_of(values, name, self.classes)

    def make(self, spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0) -> Any:
        """See `Task.make`."""
        return heads.OrdinalHead(spec, penalty=penalty, class_weight=class_weight, seed=seed)

    def sweep(
        self, tries: Tries, X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], *, class_weight: ClassWeight, seed: int
    ) -> list[np.ndarray]:
        """See `Task.sweep`: log-odds of being above each class but the highest, (penalties, n, k - 1)."""
        return heads.sweep_answers(tries, X, self._above(y), folds, class_weight=class_weight, seed=seed)

    def gains(self, y: np.ndarray, values: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
        """See `Task.gains`: one minus the distance in ranks, in units of the longest."""
        off = np.abs((values > 0).sum(axis=2) - y) / (len(self.classes) - 1)
        return np.asarray((1 - off) * balance(y, class_weight))

    def screened(
        self, left_out: Callable[[np.ndarray], np.ndarray], y: np.ndarray, class_weight: ClassWeight
    ) -> np.ndarray:
        """See `Task.screened`."""
        return np.asarray(self.gains(y, left_out(2.0 * self._above(y) - 1)[None], class_weight)[0])

    def achieved(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """See `Task.achieved`, of the median."""
        return np.asarray(1 - np.abs(median_classes(said) - y) / (len(self.classes) - 1))

    def floor(self, y: np.ndarray) -> np.ndarray:
        """See `Task.floor`: the shares of the classes, whose median is predicted."""
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
        """See `icecore.evaluation.rank_metrics`."""
        del seed
        return rank_metrics(y, said, len(self.classes), weights=weights, groups=groups)

    def _above(self, y: np.ndarray) -> np.ndarray:
        above: np.ndarray = y[:, None] > np.arange(len(self.classes) - 1)
        return above


def _by_number(found: set[Any], name: str) -> list[Any]:
    try:
        return sorted(found, key=float)
    except (TypeError, ValueError):
        listed = ", ".join(map(str, sorted_labels(found)[:5]))
        raise DataError(
            f"The classes of {name!r} are no numbers, so their order is not known: {listed}.",
            do="Say it, the lowest first: --order low,mid,high (order=).",
        ) from None


def _as_ordered(found: set[Any], name: str, order: Sequence[Any]) -> list[Any]:
    """The labels as the data spell them, in the order given; one that no row has keeps its place."""
    spelled = {text: label for label in found for text in spellings(label)}
    classes = [spelled.get(str(one).strip(), one) for one in order]
    missing = sorted_labels({str(label) for label in found if label not in classes})
    if missing or len(set(classes)) < len(classes):
        twice = " The order says a class twice." if len(set(classes)) < len(classes) else ""
        came = f"The order of {name!r} leaves out {', '.join(missing[:5])}." if missing else ""
        raise DataError(
            f"{came}{twice}".strip(),
            expected=f"Every class once, the lowest first; there are {', '.join(map(str, sorted_labels(found)))}.",
        )
    return classes
