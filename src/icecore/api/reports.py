"""What `fit`, `evaluate` and `extract` report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icecore.api.honesty import SuspectLabel
from icecore.api.jsonable import as_json, bad_json, one_or_by_target
from icecore.data import BadItem
from icecore.evaluation import Estimate, LearningCurve
from icecore.features import Features, Report, names
from icecore.selection import Versus
from icecore.training.loop import Epoch
from icecore.training.searching import Search

Metrics = dict[str, Estimate | None]


@dataclass(frozen=True)
class EnsembleReport:
    """An ensemble of what was tried, against the best single head on rows that neither had seen.

    Attributes:
        adopted: whether it is better beyond the interval, and so took the single head's place.
        single: the best single head and its layers.
        members: each head of the ensemble with its layers, and its share; none where one head is best alone.
        gain: in accuracy (balanced accuracy where classes are weighted), ensemble minus single.
        seconds: that heads take for a thousand items whose features are there: `single`, `ensemble`.
    """

    adopted: bool
    single: str
    members: tuple[tuple[str, float], ...]
    gain: Estimate
    seconds: dict[str, float]

    @staticmethod
    def of(versus: Versus) -> EnsembleReport:
        """From the comparison."""
        members = tuple((str(candidate), share) for candidate, share in versus.members)
        seconds = dict(zip(("single", "ensemble"), versus.seconds, strict=True))
        return EnsembleReport(versus.pays, str(versus.single), members, versus.gain, seconds)

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        members = [{"head": head, "weight": round(share, 4)} for head, share in self.members]
        plain: dict[str, Any] = as_json(vars(self))
        return plain | {"members": members}


@dataclass(frozen=True)
class TargetReport:
    """How one target was fitted and how good it is.

    Attributes:
        name: of the target.
        task: `classification`, `multilabel`, `ordinal` or `regression`.
        described: what is predicted, such as `3 classes`.
        classes: labels, in the order of the probabilities; none of numbers.
        layer: that the head reads; several are joined by `+`.
        layer_title: the same for people, short.
        head: name of the head, with its settings.
        chosen_because: how layer, head and penalty were chosen, in words.
        score: by which it was chosen, in words.
        by_layer: cross-validated score of the best head on each layer that was compared, on the training rows.
        metrics: of the model on rows that took no part in training or choosing.
        baselines: the same of the majority class, and of the same head on raw inputs (`logistic` for torch layers).
        evaluation: on which rows, in words.
        ensemble: how one of what was tried did; None where that was not asked for.
        interval: of a number, half the width of the interval that holds 95 % of new ones; None of classes.
        calibration: how the probabilities were calibrated: `temperature`, `isotonic` or `none`.
        learning_curve: where it was asked for and could be had.
    """

    name: str
    task: str
    described: str
    classes: tuple[Any, ...]
    layer: str
    layer_title: str
    head: str
    chosen_because: str
    score: str
    by_layer: dict[str, float]
    metrics: Metrics
    baselines: dict[str, Metrics]
    evaluation: str
    interval: float | None = None
    ensemble: EnsembleReport | None = None
    calibration: str = "none"
    learning_curve: LearningCurve | None = None


@dataclass
class FitReport:
    """What a fit did. `to_json` is what `icecore fit --json` prints.

    Attributes:
        backbone: the network's id.
        targets: of each how it was fitted and how good it is.
        items: that could be used.
        bad: the items set aside.
        extraction: what features were computed.
        notes: sentences to say aloud.
        model: where it was saved.
        near_duplicates: how many items are nearly the same as others.
        leaks: of given splits, how many items are among earlier ones, with examples.
        suspects: by target the items whose label is likely wrong, the surest first.
    """

    backbone: str
    targets: list[TargetReport]
    items: int
    bad: tuple[BadItem, ...]
    extraction: Report
    notes: tuple[str, ...] = ()
    model: Path | None = None
    near_duplicates: int = 0
    leaks: Sequence[Mapping[str, Any]] = ()
    suspects: Mapping[str, Sequence[SuspectLabel]] = field(default_factory=dict)

    @property
    def bad_items(self) -> int:
        """Number of items set aside."""
        return len(self.bad)

    @property
    def task(self) -> str:
        """That of all targets, or `mixed`."""
        found = {target.task for target in self.targets}
        return found.pop() if len(found) == 1 else "mixed"

    def bad_json(self) -> list[dict[str, Any]]:
        """The items set aside."""
        return bad_json(self.bad)

    def to_json(self) -> dict[str, Any]:
        """One JSON object; several targets nest what is of each."""
        return {
            "model": None if self.model is None else str(self.model),
            "task": self.task if self.task != "mixed" else self._by_target("task"),
            "classes": self._by_target("classes"),
            "backbone": self.backbone,
            "layer": self._by_target("layer"),
            "head": self._by_target("head"),
            "metrics": self._by_target("metrics"),
            "baselines": self._by_target("baselines"),
            **({"interval": self._by_target("interval")} if any(target.interval for target in self.targets) else {}),
            "items": self.items,
            "bad_items": self.bad_items,
            "extraction": as_json(self.extraction),
            "calibration": self._by_target("calibration"),
            "near_duplicates": self.near_duplicates,
            "leaks": as_json(self.leaks),
            "suspects": one_or_by_target(
                {target.name: as_json(self.suspects.get(target.name, ())) for target in self.targets}
            ),
            "learning_curve": self._by_target("learning_curve"),
            "notes": list(self.notes),
        } | self._ensembles()

    def _ensembles(self) -> dict[str, Any]:
        """Where they were asked for."""
        found = {target.name: target.ensemble.to_json() for target in self.targets if target.ensemble is not None}
        return {"ensemble": one_or_by_target(found)} if found else {}

    def _by_target(self, name: str) -> Any:
        return one_or_by_target({target.name: as_json(getattr(target, name)) for target in self.targets})


@dataclass(frozen=True)
class Evaluation:
    """Figures of a model on labelled data. `to_json` is what `icecore evaluate --json` prints."""

    metrics: Mapping[str, Metrics]
    items: int
    bad: tuple[BadItem, ...]
    notes: tuple[str, ...] = ()

    def bad_json(self) -> list[dict[str, Any]]:
        """The items set aside."""
        return bad_json(self.bad)

    def to_json(self) -> dict[str, Any]:
        """One JSON object; several targets nest the metrics."""
        metrics = one_or_by_target({name: as_json(found) for name, found in self.metrics.items()})
        return {"metrics": metrics, "items": self.items, "bad_items": len(self.bad), "notes": list(self.notes)}


@dataclass
class TuningReport:
    """What a fine-tuning did. `to_json` is what `icecore fine-tune --json` prints.

    Attributes:
        targets: their names.
        metrics: of the tuned model for each target, on rows that neither model has seen.
        frozen_metrics: of the frozen one on the same rows.
        difference: in the score (of classes the share of right answers), tuned minus frozen, with its interval.
        score: what that score is, in words.
        compared: on which rows, in words.
        epochs: that were kept.
        seconds: spent on the prefix, on the suffix and on evaluation.
        log: every epoch of the last training.
        items: that could be used.
        bad: the items set aside.
        notes: to say aloud.
        adopted: whether the tuned model took the place of the frozen one.
        kept: whether that was so only because it was asked for.
        unfrozen: the blocks or the layer that were trained.
        model: where the model is.
        leads: whether this process speaks for all that trained together.
        search: what the search for settings found; None where none was asked for.
    """

    targets: tuple[str, ...]
    metrics: list[Metrics]
    frozen_metrics: list[Metrics]
    difference: Estimate
    compared: str
    epochs: int
    seconds: dict[str, float]
    log: tuple[Epoch, ...]
    items: int
    bad: tuple[BadItem, ...]
    notes: tuple[str, ...] = ()
    adopted: bool = False
    kept: bool = False
    unfrozen: tuple[str, ...] = ()
    model: Path | None = None
    leads: bool = True
    score: str = "accuracy"
    search: Search | None = None

    def bad_json(self) -> list[dict[str, Any]]:
        """The items set aside."""
        return bad_json(self.bad)

    def to_json(self) -> dict[str, Any]:
        """One JSON object; several targets nest the metrics."""
        return {
            "model": None if self.model is None else str(self.model),
            "adopted": self.adopted,
            "metrics": self._by_target(self.metrics),
            "frozen_metrics": self._by_target(self.frozen_metrics),
            "difference": as_json(self.difference),
            "unfrozen": list(self.unfrozen),
            "epochs": self.epochs,
            "seconds": {name: round(spent, 3) for name, spent in self.seconds.items()},
        } | ({} if self.search is None else {"search": self.search.to_json()})

    def _by_target(self, found: list[Metrics]) -> Any:
        return one_or_by_target({name: as_json(own) for name, own in zip(self.targets, found, strict=True)})


@dataclass(frozen=True)
class Extraction:
    """Features and the file that they were written to."""

    features: Features
    out: Path
    notes: tuple[str, ...] = ()

    def bad_json(self) -> list[dict[str, Any]]:
        """The items set aside."""
        return bad_json(self.features.bad)

    def to_json(self) -> dict[str, Any]:
        """One JSON object: shapes are of one item."""
        return {
            "out": str(self.out),
            "layers": {name: list(self.features.shape(column)) for column, name in names(self.features).items()},
            "items": len(self.features),
            "bad_items": len(self.features.bad),
            "extraction": as_json(self.features.report),
            "notes": list(self.notes),
        }
