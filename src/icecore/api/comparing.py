"""`compare`: two models on the same items, pair by pair."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icecore.api.aligning import Shared
from icecore.api.jsonable import as_json, one_or_by_target
from icecore.api.labels import require_items, values_of
from icecore.api.model import TransferModel
from icecore.api.options import open_progress, open_store
from icecore.api.reports import Metrics
from icecore.api.scoring import read_labelled, seen_before
from icecore.artifact import Evidence, Predictor, TargetRef
from icecore.errors import DataError, UsageError
from icecore.evaluation import Estimate, duplicate_groups, median_classes, paired_difference, paired_gain
from icecore.features import Features, Progress
from icecore.store import Store
from icecore.tasks import Task, task_of


@dataclass(frozen=True)
class TargetCompared:
    """Two models on the items of one target.

    Attributes:
        name: of the target.
        measure: what the difference is in: `accuracy`, `share of labels right`, or `mean absolute error`.
        first: figures of the first model on these items.
        second: those of the second.
        difference: first minus second, with its 95 % interval, from the pairs.
        better: 1 or 2 where the interval leaves zero out, else None.
        items: how many items were compared.
        said: one sentence.
    """

    name: str
    measure: str
    first: Metrics
    second: Metrics
    difference: Estimate
    better: int | None
    items: int
    said: str


@dataclass(frozen=True)
class Compared:
    """A comparison. `to_json` is what `icecore compare --json` prints."""

    models: tuple[str, str]
    targets: tuple[TargetCompared, ...]
    where: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON object; several targets nest what is of each."""

        def each(name: str) -> Any:
            return one_or_by_target({target.name: as_json(getattr(target, name)) for target in self.targets})

        return {
            "models": list(self.models),
            "measure": each("measure"),
            "metrics": [each("first"), each("second")],
            "difference": each("difference"),
            "better": each("better"),
            "items": each("items"),
            "said": each("said"),
            "where": self.where,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Side:
    """What one model says of items: rows to tell them by, labels as its task has them (n, ...), and (n, width)."""

    task: Task
    y: np.ndarray
    said: np.ndarray

    @staticmethod
    def unseen(task: Task, y: np.ndarray, proba: np.ndarray) -> _Side:
        """From evidence, which has no thresholds: of several labels those are predicted that are likelier than not."""
        return _Side(task, y, np.hstack([proba, np.full_like(proba, 0.5)]) if task.name == "multilabel" else proba)

    def take(self, at: np.ndarray) -> _Side:
        return _Side(self.task, self.y[at], self.said[at])

    def credit(self) -> np.ndarray:
        """(n,) how good each answer is: 1 where it is right, the share of labels, minus how far off a number is."""
        k = max(1, len(self.task.classes))
        if self.task.name == "regression":
            return np.asarray(-np.abs(self.said[:, 0] - self.y))
        if self.task.name == "multilabel":
            return np.asarray(((self.said[:, :k] >= self.said[:, k:]) == self.y).mean(axis=1))
        chosen = median_classes(self.said) if self.task.name == "ordinal" else self.said.argmax(axis=1)
        return np.asarray((chosen == self.y).astype(np.float64))


def compare(
    first: TransferModel | str | os.PathLike[str],
    second: TransferModel | str | os.PathLike[str],
    data: Any = None,
    y: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    input_col: str | Sequence[str] | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    names: tuple[str, str] | None = None,
    progress: Progress | bool = True,
) -> Compared:
    """Which of two models is better, on the same items, pair by pair, with an interval of the difference.

    With `data` both predict labelled data that neither should have seen. Without it they are compared on the items
    that both were fitted on, by what models that had not seen them said then (out of fold, or on the given test rows).

    Args:
        first: a saved model, or one in memory.
        second: another, of the same targets.
        data: labelled data, as for `evaluate`.
        y: labels, where `data` holds inputs alone.
        target: see `TransferModel.fit`.
        input_col: see there.
        store: where features are kept.
        batch_size: see there.
        workers: see there.
        names: what the models are called in the answer; by default the paths that they were given as.
        progress: show it on standard error.

    Raises:
        UsageError: without `data`, where the models share no items or were saved without evidence.
        DataError: the data cannot be read, or hold labels that a model does not know.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3), dtype=np.uint8)
        >>> images[::2] //= 4
        >>> models = [TransferModel("icecore:vision-s@random", head=head) for head in ("ridge", "knn")]
        >>> for model in models:
        ...     _ = model.fit(images, ["dark", "light"] * 12, progress=False)
        >>> compare(*models).targets[0].difference.value
        0.0
    """
    pair = tuple(one if isinstance(one, TransferModel) else TransferModel.load(one) for one in (first, second))
    names = names or (_name(first, "first"), _name(second, "second"))
    if data is None:
        return _on_evidence(pair[0].predictor, pair[1].predictor, names)
    options = {"batch_size": batch_size, "workers": workers, "progress": open_progress(progress)}
    features = []
    for one in pair:
        dataset = read_labelled(data, y, target, input_col, one.predictor)
        features.append(one.predictor.features(dataset, open_store(store or one.store), **options))
        require_items(features[-1])
    return _on_data(pair[0].predictor, pair[1].predictor, features, names)


def _name(model: TransferModel | str | os.PathLike[str], place: str) -> str:
    return f"the {place} model" if isinstance(model, TransferModel) else os.fspath(model)


def _on_data(first: Predictor, second: Predictor, features: Sequence[Features], names: tuple[str, str]) -> Compared:
    places = [np.array([item.row for item in own.dataset.inputs], np.int64) for own in features]
    _, *at = np.intersect1d(places[0], places[1], return_indices=True)
    groups = duplicate_groups([features[0].origins[int(i)] for i in at[0]])
    found = []
    for own, other in _targets(first, second):
        sides = [_of_data(*each) for each in zip((first, second), (own, other), features, strict=True)]
        found.append(_compared(own.name, sides[0].take(at[0]), sides[1].take(at[1]), groups, names))
    seen = [seen_before(*each) for each in zip((first, second), features, names, strict=True)]
    notes = (*features[0].notes, *seen[0], *seen[1])
    return Compared(names, tuple(found), f"on the same {len(groups):,} items", tuple(dict.fromkeys(notes)))


def _of_data(predictor: Predictor, target: TargetRef, features: Features) -> _Side:
    task = task_of(target.task, target.classes)
    values = values_of(features.dataset.targets, predictor.manifest.targets)[target.name]
    return _Side(task, task.encode(values.tolist(), target.name), predictor.says(features, target))


def _on_evidence(first: Predictor, second: Predictor, names: tuple[str, str]) -> Compared:
    own, other = _evidence(first, names[0]), _evidence(second, names[1])
    shared = Shared.of([own, other])
    at, found = shared.at, []
    for target, theirs in _targets(first, second):
        sides = [
            _Side.unseen(task_of(ref.task, ref.classes), part.y[rows], part.proba[rows])
            for ref, part, rows in (
                (target, own.targets[target.name], at[0]),
                (theirs, other.targets[theirs.name], at[1]),
            )
        ]
        scored = own.targets[target.name].scored[at[0]] & other.targets[theirs.name].scored[at[1]]
        use = np.flatnonzero(scored & _same_labels(*sides))
        if not len(use):
            raise UsageError(
                f"The models share no item of {target.name!r} that both had predicted unseen.",
                do="Name labelled data to compare them on: icecore compare A B DATA.",
            )
        found.append(_compared(target.name, sides[0].take(use), sides[1].take(use), shared.groups[use], names))
    return Compared(names, tuple(found), "on the items that both were fitted on, by models that had not seen them")


def _evidence(predictor: Predictor, name: str) -> Evidence:
    if predictor.evidence is None:
        raise UsageError(
            f"There is nothing to compare on: {name} was saved without what its fit said of its items.",
            do="Name labelled data (icecore compare A B DATA), or fit it again.",
        )
    return predictor.evidence


def _targets(first: Predictor, second: Predictor) -> list[tuple[TargetRef, TargetRef]]:
    """The targets that both have, by name; with one each, the names need not agree. Raises UsageError."""
    ours, theirs = first.manifest.targets, second.manifest.targets
    if len(ours) == len(theirs) == 1:
        pairs = [(ours[0], theirs[0])]
    else:
        by_name = {target.name: target for target in theirs}
        pairs = [(target, by_name[target.name]) for target in ours if target.name in by_name]
    pairs = [(one, other) for one, other in pairs if one.task == other.task]
    if not pairs:
        said = (", ".join(f"{target.name} ({target.task})" for target in own) for own in (ours, theirs))
        raise UsageError(
            f"The models have no target in common: {' and '.join(said)}.", do="Compare models of one task."
        )
    return pairs


def _same_labels(one: _Side, other: _Side) -> np.ndarray:
    """(n,) whether both know the item by the same label."""
    if one.task.classes == other.task.classes:
        return np.asarray((one.y == other.y).all(axis=tuple(range(1, one.y.ndim))))
    if one.task.name in {"regression", "multilabel"}:
        raise UsageError("The models have other labels, so what they say cannot be compared.", do="Name labelled data.")
    pairs = zip(one.y.tolist(), other.y.tolist(), strict=True)
    return np.array([one.task.classes[a] == other.task.classes[b] for a, b in pairs], bool)


def _compared(name: str, one: _Side, other: _Side, groups: np.ndarray, names: tuple[str, str]) -> TargetCompared:
    if not len(groups):
        raise DataError("There is no item that both models can predict.")
    numbers = one.task.name == "regression"
    if numbers:
        difference = paired_gain(-one.credit(), -other.credit(), groups)
    else:
        difference = paired_difference(one.credit(), other.credit(), groups)
    measure = {"regression": "mean absolute error", "multilabel": "share of labels right"}.get(
        one.task.name, "accuracy"
    )
    better = _better(difference, lower=numbers)
    figures = [side.task.metrics(side.y, side.said, groups=groups) for side in (one, other)]
    who = "they cannot be told apart" if better is None else f"{names[better - 1]} is better"
    items = len(np.unique(groups))
    said = (
        f"{name}: in {measure}, {names[0]} is {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] "
        f"beside {names[1]}, on {items:,} items: {who}."
    )
    return TargetCompared(name, measure, figures[0], figures[1], difference, better, items, said)


def _better(difference: Estimate, *, lower: bool) -> int | None:
    if difference.low <= 0 <= difference.high:
        return None
    return 1 if (difference.value > 0) != lower else 2
