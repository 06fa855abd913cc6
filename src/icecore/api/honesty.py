"""What is said of a fitted target beside its figures: calibration, suspects, what is typical, and doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from icecore.artifact import TargetEvidence
from icecore.data import Item
from icecore.errors import DataError
from icecore.evaluation import Estimate, LearningCurve, Progress, Typicality, learning_curve, outlying_class, typicality
from icecore.heads import Rows
from icecore.heads.calibrating import calibrated, can_be_calibrated
from icecore.selection import (
    Candidate,
    HeldOut,
    Nested,
    calibrate,
    features_of,
    fit_candidate,
    in_memory,
    opinions,
    unseen_of_known,
)
from icecore.selection.candidates import take
from icecore.tasks import AnyHead, Task

CLASSES = "classification"
_APART = 0.2  # by which the score on the model's own rows may be above that on unseen ones
_APART_CLASS = (
    "The class {name!r} lies apart from all others: {share:.0%} of its items are unlike those of every other class "
    "(of no other class more than {others:.0%}). Where they come from another source, it is told by the source."
)
_MOST_ROWS = 5000
_MOST_NUMBERS = 1 << 24  # of features at once
_MOST_WIDE = 1 << 15  # wider features are no description of what is typical


@dataclass(frozen=True, slots=True)
class SuspectLabel:
    """An item whose label is likely wrong.

    Attributes:
        row: of the item in the data as given.
        input: its name.
        label: that it has.
        likely: label that it more likely should have.
        probability: of its own label, by models that have not seen it.
        likely_probability: of the other.
    """

    row: int
    input: str
    label: Any
    likely: Any
    probability: float
    likely_probability: float


@dataclass(frozen=True)
class Data:
    """One target's rows: layer -> (n, d), labels as heads learn them, groups and splits (n,), and how to fit."""

    features: Mapping[str, Rows]
    y: np.ndarray
    task: Task
    groups: np.ndarray
    splits: np.ndarray | None
    class_weight: Literal["balanced"] | None
    seed: int

    def some(self, rows: np.ndarray, candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
        """Of rows at most five thousand, (m,), and what a candidate's head reads of them, (m, d)."""
        width = features_of(take(self.features, rows[:1]), candidate.layer).shape[1]
        most = max(1, min(_MOST_ROWS, _MOST_NUMBERS // width))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(self.seed).permutation(rows)[:most])
        X = features_of(take(self.features, rows), candidate.layer)
        return rows, X[: len(X)]


def with_calibrated(
    result: Nested | HeldOut, head: AnyHead, data: Data, method: str
) -> tuple[Nested | HeldOut, AnyHead, str]:
    """The result and the head, both calibrated, those of the result unseen, and the method."""
    if method == "none" or data.task.name != CLASSES or not can_be_calibrated(head):
        return result, head, "none"
    if isinstance(result, Nested):
        found = calibrate(data.y, result.out_of_fold.proba, data.groups, method=method, seed=data.seed)
        if found.step is None:
            return result, head, found.method
        out = replace(result.out_of_fold, proba=found.proba)
        return replace(result, out_of_fold=out), calibrated(head, found.step), found.method
    how: dict[str, Any] = {"class_weight": data.class_weight, "seed": data.seed}
    rows, proba = unseen_of_known(result, data.features, data.y, splits=data.splits, groups=data.groups, **how)
    found = calibrate(data.y[rows], proba[None], data.groups[rows], method=method, seed=data.seed)
    if found.step is None:
        return result, head, found.method
    head = calibrated(head, found.step)
    return replace(result, head=head, proba=found.step(result.proba)), head, found.method


def typical(candidate: Candidate, data: Data, rows: np.ndarray) -> Typicality | None:
    """What is typical of the rows that a model was fitted on; None of too few."""
    rows, X = data.some(rows, candidate)
    codes = data.y[rows] if data.task.name in {CLASSES, "ordinal"} else None
    if X.shape[1] > _MOST_WIDE:
        return None
    try:
        return typicality(X, codes, data.groups[rows], seed=data.seed)
    except DataError:
        return None


def second_opinions(candidate: Candidate, data: Data) -> np.ndarray | None:
    """What several heads say of every row by what a candidate reads, (n, k); None where it would take long, or the
    rows are not in memory, and of anything but classes.
    """
    X = features_of(data.features, candidate.layer) if data.task.name == CLASSES else None
    if not isinstance(X, np.ndarray):
        return None
    try:
        return opinions(X, data.y, data.task.width, data.groups, class_weight=data.class_weight, seed=data.seed)
    except DataError:
        return None


def curve(candidate: Candidate, data: Data, progress: Progress) -> LearningCurve | None:
    """The learning curve of what was chosen; None of too few rows, of rows not in memory, of anything but classes."""
    if not in_memory(data.features) or data.task.name != CLASSES:
        return None

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        part, how = take(data.features, train), (data.y[train], data.task)
        head = fit_candidate(candidate, part, *how, class_weight=data.class_weight, seed=data.seed)
        return data.task.says(head, features_of(take(data.features, test), candidate.layer))

    try:
        return learning_curve(fit_predict, data.y, data.task.width, data.groups, seed=data.seed, progress=progress)
    except DataError:
        return None


def suspect_labels(evidence: TargetEvidence, items: Sequence[Item]) -> tuple[SuspectLabel, ...]:
    """Suspects among the items of a fit by name, the surest first."""
    return tuple(
        SuspectLabel(
            items[one.row].row,
            items[one.row].name,
            evidence.classes[one.given],
            evidence.classes[one.likely],
            round(one.p_given, 6),
            round(one.p_likely, 6),
        )
        for one in evidence.suspects()
    )


def doubts(
    head: AnyHead,
    candidate: Candidate,
    data: Data,
    rows: np.ndarray,
    *,
    metrics: Mapping[str, Estimate | None],
    baselines: Mapping[str, Mapping[str, Estimate | None]],
) -> tuple[str, ...]:
    """Warnings: scores on own and on unseen rows that part, and features that tell no more than the inputs do."""
    own = metrics.get("accuracy") if data.task.name == CLASSES else None
    if own is None:
        return ()
    rows, X = data.some(rows, candidate)
    trained = float((data.task.says(head, X).argmax(axis=1) == data.y[rows]).mean())
    said = []
    if trained - own.high >= _APART:
        said.append(
            f"Of the items that it was trained on it gets {trained:.3f} right, of unseen ones {own}: it knows these "
            "items more than the classes. More labels would help (--learning-curve says how much), or a simpler head."
        )
    floor, raw = (baselines.get(name, {}).get("accuracy") for name in ("majority_class", "raw_input"))
    if floor is not None and own.low <= floor.value:
        said.append(
            f"The accuracy, {own}, is not beyond that of the most frequent class alone, {floor}: the backbone "
            "separates little of what these labels name. Another backbone or layer may (icecore rank)."
        )
    elif raw is not None and own.value <= raw.value:
        said.append(
            f"The same head has {raw} on the inputs themselves, and {own} on features: the backbone adds nothing here. "
            "Another one, or another layer, may (icecore rank)."
        )
    apart = outlying_class(X, data.y[rows], seed=data.seed) if X.shape[1] <= _MOST_WIDE else None
    if apart is not None:
        said.append(_APART_CLASS.format(name=data.task.classes[apart.code], share=apart.share, others=apart.others))
    return tuple(said)
