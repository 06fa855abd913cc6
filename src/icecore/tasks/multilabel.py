"""Several labels a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import heads
from icecore.errors import DataError
from icecore.evaluation import label_set_metrics, precisions
from icecore.tasks.base import TINY, ClassWeight, Metrics, Task, Tries
from icecore.tasks.classification import sorted_labels, spellings

if TYPE_CHECKING:
    from icecore.evaluation import Fold

_YES = {"1", "true", "yes", "1.0"}
_NO = {"0", "false", "no", "0.0"}


@dataclass(frozen=True)
class Multilabel(Task):
    """Labels as (n, k), 1 where a row has one. A head says a probability for each, and after these the thresholds that
    it was tuned to, so that each fold's predictions are judged by thresholds from its own training rows.

    Example:
        >>> Multilabel(("cat", "dog")).encode(["dog;cat", "cat", ";"], "animals").tolist()
        [[1, 1], [1, 0], [0, 0]]
    """

    name = "multilabel"
    score_name = "mean average precision"
    floor_name = "label_shares"

    @staticmethod
    def of(name: str, values: Sequence[Any]) -> Multilabel:
        """The labels that there are, sorted. Raises DataError where there are none."""
        found = {label for value in values for label in labels_in(value)}
        if not found:
            raise DataError(f"The target {name!r} cannot be learned: no row has a label.", expected="At least one.")
        return Multilabel(tuple(sorted_labels(found)))

    @property
    def described(self) -> str:
        """See `Task.described`."""
        return f"{len(self.classes)} label{'s' * (len(self.classes) > 1)}, several a row"

    @property
    def width(self) -> int:
        """See `Task.width`."""
        return 2 * len(self.classes)

    def encode(self, values: Sequence[Any], name: str) -> np.ndarray:
        """See `Task.encode`: of lists, or of texts that are lists in JSON or labels with `;` or `|` between them."""
        place = {text: at for at, label in enumerate(self.classes) for text in spellings(label)}
        y = np.zeros((len(values), len(self.classes)), np.int64)
        unknown: set[str] = set()
        for row, value in enumerate(values):
            for label in labels_in(value):
                at = next((place[text] for text in spellings(label) if text in place), None)
                if at is None:
                    unknown.add(str(label))
                else:
                    y[row, at] = 1
        if unknown:
            raise DataError(
                f"The data has labels of {name!r} that the model does not know: {', '.join(sorted(unknown)[:5])}.",
                expected=f"Its labels are {', '.join(map(str, self.classes))}.",
                do="Evaluate on data with these labels, or fit again with the new ones.",
            )
        return y

    def strata(self, y: np.ndarray) -> np.ndarray:
        """See `Task.strata`: the rarest label of each row."""
        return heads.strata_of(np.asarray(y, bool))

    def make(self, spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0) -> Any:
        """See `Task.make`."""
        return heads.MultilabelHead(spec, penalty=penalty, class_weight=class_weight, seed=seed)

    def sweep(
        self, tries: Tries, X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], *, class_weight: ClassWeight, seed: int
    ) -> list[np.ndarray]:
        """See `Task.sweep`: log-odds (penalties, n, k)."""
        return heads.sweep_answers(tries, X, y.astype(bool), folds, class_weight=class_weight, seed=seed)

    def gains(self, y: np.ndarray, values: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
        """See `Task.gains`: the precision down to each label of a row; their mean is the mean average precision.

        Every label counts the same there, however rare, with and without `class_weight`.
        """
        del class_weight
        there = np.flatnonzero(y.any(axis=0))
        share = len(y) / np.maximum(y.sum(axis=0), 1) / max(len(there), 1)
        gains = np.zeros(values.shape[:2])
        for setting, own in enumerate(values):
            for c in there:
                gains[setting] += share[c] * y[:, c] * precisions(y[:, c], own[:, c])
        return gains

    def screened(
        self, left_out: Callable[[np.ndarray], np.ndarray], y: np.ndarray, class_weight: ClassWeight
    ) -> np.ndarray:
        """See `Task.screened`."""
        return np.asarray(self.gains(y, left_out(2.0 * y - 1)[None], class_weight)[0])

    def achieved(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """See `Task.achieved`."""
        return np.asarray(self.gains(y, said[:, : len(self.classes)][None], None)[0])

    def loss(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """See `Task.loss`: the mean over all labels, each a question of its own."""
        p = np.clip(said[..., : len(self.classes)], TINY, 1 - TINY)
        return np.asarray(-np.where(y > 0, np.log(p), np.log(1 - p)).mean(axis=-1))

    def to_average(self, said: np.ndarray) -> np.ndarray:
        """See `Task.to_average`: the log-odds of each label."""
        p = np.clip(said, TINY, 1 - TINY)
        return np.asarray(np.log(p) - np.log1p(-p))

    def from_average(self, values: np.ndarray) -> np.ndarray:
        """See `Task.from_average`: the probability of each label."""
        return np.asarray(1 / (1 + np.exp(-values)))

    def says(self, head: Any, X: np.ndarray) -> np.ndarray:
        """See `Task.says`: probabilities (n, k), then thresholds (n, k)."""
        proba = head.predict_proba(X)
        return np.hstack([proba, np.broadcast_to(head.thresholds_, proba.shape)])

    def floor(self, y: np.ndarray) -> np.ndarray:
        """See `Task.floor`: the share of rows that have each label, and those that half of the rows have."""
        return np.append(y.mean(axis=0), np.full(len(self.classes), 0.5))

    def metrics(
        self,
        y: np.ndarray,
        said: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        seed: int = 0,
    ) -> Metrics:
        """See `icecore.evaluation.label_set_metrics`."""
        proba, thresholds = np.hsplit(said, 2)
        return label_set_metrics(y, proba, thresholds, weights=weights, groups=groups, seed=seed)


def labels_in(value: Any) -> list[Any]:
    """The labels of one row: of a list, a list in JSON, or a text with `;` or `|` between labels.

    Example:
        >>> labels_in("cat; dog"), labels_in('["a;b", 3]'), labels_in("[]"), labels_in("cat")
        (['cat', 'dog'], ['a;b', 3], [], ['cat'])
    """
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return list(value)
    text = str(value).strip()
    if is_list(text):
        return list(json.loads(text))
    separator = ";" if ";" in text else "|"
    return [part.strip() for part in text.split(separator) if part.strip()]


def is_list(value: Any) -> bool:
    """Whether a value is a list, as it is or in JSON."""
    if not isinstance(value, str):
        return isinstance(value, list)
    try:
        return value.lstrip().startswith("[") and isinstance(json.loads(value), list)
    except ValueError:
        return False


def answer(value: Any, name: str) -> bool:
    """Whether a column of 0 and 1 says that a row has its label. Raises DataError for anything else."""
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO or not word:
        return False
    raise DataError(
        f"The column {name!r} holds {value!r}.",
        expected="Of several columns that make labels together, each holds 0 or 1 (or false and true, no and yes).",
        do="For a column that holds several labels itself, name that one alone, with ; or | between the labels.",
    )
