"""What a task is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from icecore import heads
from icecore.heads import Head, Regressor

if TYPE_CHECKING:
    from icecore.evaluation import Estimate, Fold
    from icecore.heads import Rows

TaskName = Literal["classification", "multilabel", "ordinal", "regression"]
ClassWeight = Literal["balanced"] | None
AnyHead: TypeAlias = Head | Regressor
Tries = Sequence[tuple[Any, Sequence[float | None]]]
Metrics = dict[str, "Estimate | None"]
TINY = 1e-6  # the least probability that a loss knows


@dataclass(frozen=True)
class Task:
    """What can be learned of one target. The subclasses are the tasks.

    Attributes:
        classes: labels in the order of what a head says of them; none of numbers.
        name: of the task.
        score_name: by what layer, head and penalty are chosen, in words; larger is better, 1 is perfect.
        floor_name: of the model that knows nothing of the inputs, which every other has to beat.
        auto: names of the heads that `auto` chooses among, simplest first.
        fallback: the head that takes the place of one which only fits a certain width.
    """

    classes: tuple[Any, ...] = ()
    name: ClassVar[TaskName]
    score_name: ClassVar[str]
    floor_name: ClassVar[str]
    auto: ClassVar[tuple[str, ...]] = ("centroid", "ridge", "logistic", "lda", "svm", "knn", "svm-rbf")
    fallback: ClassVar[str] = "logistic"

    @property
    def described(self) -> str:
        """What is predicted, in a word or two, such as `3 classes`."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """How many numbers a fitted head says of a row."""
        return len(self.classes)

    def encode(self, values: Sequence[Any], name: str) -> np.ndarray:
        """What heads learn from, (n, ...), of labels (n,) as data hold them. Raises DataError for unknown ones."""
        raise NotImplementedError

    def strata(self, y: np.ndarray) -> np.ndarray:
        """A code for each row (n,), which folds spread evenly."""
        return np.asarray(y)

    def make(self, spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0) -> Any:
        """An unfitted head of this task. Raises HeadError, UsageError."""
        return heads.make(spec, penalty=penalty, class_weight=class_weight, seed=seed)

    def penalties(self, spec: Any) -> tuple[float | None, ...]:
        """Those worth trying, simplest first."""
        return heads.penalties(spec)

    def sweep(
        self, tries: Tries, X: np.ndarray, y: np.ndarray, folds: Sequence[Fold], *, class_weight: ClassWeight, seed: int
    ) -> list[np.ndarray]:
        """For each of the tries decision values (penalties, n, ...) of rows that a fold left out."""
        raise NotImplementedError

    def gains(self, y: np.ndarray, values: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
        """What each row (n,) adds to the score, (settings, n), by decision values (settings, n, ...): the score is
        their mean.
        """
        raise NotImplementedError

    def screened(
        self, left_out: Callable[[np.ndarray], np.ndarray], y: np.ndarray, class_weight: ClassWeight
    ) -> np.ndarray:
        """Gains (n,) of a quick model: `left_out` turns targets (n, c) into values (n, c) of rows without them."""
        raise NotImplementedError

    def achieved(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """What each row (n,) adds to the score, by what a fitted head says of it, (n, width)."""
        return np.asarray(self.gains(y, said[None], None)[0])

    def fit(self, head: Any, X: np.ndarray, y: np.ndarray) -> AnyHead:
        """Fit a head on features (n, d) and what `encode` gave."""
        fitted: AnyHead = head.fit(X, y, n_classes=len(self.classes))
        return fitted

    def fit_in_pieces(self, head: Any, X: Rows, y: np.ndarray) -> AnyHead | None:
        """The same on rows that are not in memory; None where the head has to have them there."""
        if not hasattr(head, "fit_in_pieces"):
            return None
        fitted: AnyHead = head.fit_in_pieces(X, y, n_classes=len(self.classes))
        return fitted

    def says(self, head: Any, X: np.ndarray) -> np.ndarray:
        """What a fitted head says of rows (n, d): (n, width), float64, the first columns probabilities."""
        said: np.ndarray = head.predict_proba(X)
        return said

    def restore(self, config: dict[str, Any], arrays: dict[str, np.ndarray]) -> AnyHead:
        """The fitted head that `state` described."""
        return heads.restore(config, arrays)

    def floor(self, y: np.ndarray) -> np.ndarray:
        """What a model says, (width,), that knows nothing but the labels of the training rows."""
        raise NotImplementedError

    def loss(self, y: np.ndarray, said: np.ndarray) -> np.ndarray:
        """What each row costs, (..., n), by what models say of it, (..., n, width): minus the log of the probability of
        what is true.
        """
        return np.asarray(-np.log(np.maximum(said[..., np.arange(len(y)), y], TINY)))

    def to_average(self, said: np.ndarray) -> np.ndarray:
        """What models say of rows, (..., k), in the unit in which it is averaged: logs of probabilities."""
        return np.asarray(np.log(np.maximum(said, TINY)))

    def from_average(self, values: np.ndarray) -> np.ndarray:
        """Means of these (..., k) as what a model says: probabilities that sum to one."""
        shares = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    def metrics(
        self,
        y: np.ndarray,
        said: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        seed: int = 0,
    ) -> Metrics:
        """Figures, each with a 95 % interval, of what a model says (n, width)."""
        raise NotImplementedError


def balance(y: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
    """(n,) weights of mean one, under which every class counts alike if that is asked for."""
    if class_weight is None:
        return np.ones(len(y))
    counts = np.bincount(y)
    result: np.ndarray = (len(y) / np.count_nonzero(counts) / np.maximum(counts, 1))[y]
    return result


def as_task(task: Task | int) -> Task:
    """A task as it is; a number stands for so many classes."""
    from icecore.tasks.classification import Classification

    return task if isinstance(task, Task) else Classification(tuple(range(task)))
