"""One target of several models: shares, figures, and what the mean of them said of their common items unseen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icecore.api.aligning import Shared
from icecore.api.describing import figures
from icecore.api.ensemble_reports import TargetEnsemble
from icecore.artifact import Evidence, Manifest, Predictor, TargetEvidence, TargetRef
from icecore.errors import UsageError
from icecore.evaluation import half_width
from icecore.selection import Mix, United, unite
from icecore.tasks import Task, task_of

_FOLDS = 5
_HOW = "five folds of {items:,} items that no model had seen, shares chosen on the other four"


@dataclass(frozen=True)
class Member:
    """A model that may take part: its name, what it says of itself and of its items, and where or what it is."""

    name: str
    manifest: Manifest
    evidence: Evidence
    model: Path | Predictor

    def target(self, name: str) -> TargetRef:
        """One of its targets."""
        return next(target for target in self.manifest.targets if target.name == name)


@dataclass(frozen=True)
class Joined:
    """One target of an ensemble.

    Attributes:
        mix: what it is made of: several models where that pays, else one.
        ref: what the manifest says of it.
        evidence: what it said of the shared items.
        report: how it did.
    """

    mix: Mix
    ref: TargetRef
    evidence: TargetEvidence
    report: TargetEnsemble


def join(name: str, members: Sequence[Member], shared: Shared, *, keep: bool, seed: int) -> Joined:
    """The ensemble of a target where it pays, or is to be kept, else its best single model.

    Raises UsageError where the models share nothing to choose on, DataError where that is too little.
    """
    ref = members[0].target(name)
    sides = [member.evidence.targets[name] for member in members]
    y, task = sides[0].y[shared.at[0]], task_of(ref.task, ref.classes)
    use, conflicts = _usable(sides, shared, name)
    said = np.stack([side.proba[at][use] for side, at in zip(sides, shared.at, strict=True)])
    found = unite(said, y[use], task, shared.groups[use], n_splits=_FOLDS, seed=seed)
    report = _report(name, found, task, y[use], shared.groups[use], conflicts=conflicts)
    several = report.pays or (keep and report.several)
    mix, unseen = (found.mix, found.together) if several else (found.best, found.alone)
    proba = np.full((len(y), max(1, len(ref.classes))), np.nan)
    proba[use] = unseen[:, : proba.shape[1]]
    evidence = TargetEvidence(name, ref.task, ref.classes, y, proba, np.isfinite(proba[:, 0]))
    interval = None
    if task.name == "regression":
        interval = half_width(y[evidence.scored], proba[evidence.scored, 0], shared.groups[evidence.scored])
    changed = {"interval": interval, **_about(members, mix, report, task, y[evidence.scored])}
    return Joined(mix, ref.model_copy(update=changed), evidence, report)


def _usable(sides: Sequence[TargetEvidence], shared: Shared, name: str) -> tuple[np.ndarray, int]:
    """Shared items (m,) that every model predicted unseen and knows by one label, and how many have several labels."""
    unseen = np.all([side.scored[at] for side, at in zip(sides, shared.at, strict=True)], axis=0)
    labels = [
        side.y[at].reshape(len(at), math.prod(side.y.shape[1:])) for side, at in zip(sides, shared.at, strict=True)
    ]
    alike = np.all([(own == labels[0]).all(axis=1) for own in labels], axis=0)
    use = np.flatnonzero(unseen & alike)
    if not len(use):
        raise UsageError(
            f"The models share no item of {name!r} that all of them had predicted unseen.",
            expected="Models that were fitted on the same items, with the same labels.",
            do="Fit them on the same data.",
        )
    return use, int((unseen & ~alike).sum())


def _report(
    name: str, found: United, task: Task, y: np.ndarray, groups: np.ndarray, *, conflicts: int
) -> TargetEnsemble:
    at = found.scored
    together, alone, *each = (
        task.metrics(y[at], said[at], groups=groups[at]) for said in (found.together, found.alone, *found.each)
    )
    return TargetEnsemble(
        name=name,
        score=task.score_name,
        shares=tuple(found.mix.shares.get(number, 0.0) for number in range(len(found.each))),
        best=next(iter(found.best.shares)),
        metrics=together,
        single_metrics=alone,
        each=tuple(each),
        gain=found.gain,
        items=len(np.unique(groups[at])),
        conflicts=conflicts,
        pays=found.pays,
    )


def _about(members: Sequence[Member], mix: Mix, report: TargetEnsemble, task: Task, y: np.ndarray) -> dict[str, Any]:
    """What the manifest says of the target beside what its members have in common."""
    names = [members[number].name for number in mix.shares]
    several = len(names) > 1
    verdict = "better beyond the interval" if report.pays else "not better beyond the interval"
    floor = task.metrics(y, np.tile(task.floor(y), (len(y), 1)))
    single = {"best_single_model": figures(report.single_metrics)} if several else {}
    parts = [{"model": members[number].name, "weight": round(share, 4)} for number, share in mix.shares.items()]
    return {
        "columns": (),
        "head": {"head": "mean_of_models.v1"}
        | ({} if mix.thresholds is None else {"thresholds": [float(each) for each in mix.thresholds]}),
        "chosen": {
            "head": f"mean of {len(names)} models" if several else f"the model {names[0]}",
            "because": f"{report.said}: {verdict}.",
            "by_layer": {},
            "members": parts,
        },
        "stores_training_rows": any(members[n].target(report.name).stores_training_rows for n in mix.shares),
        "metrics": figures(report.metrics if several else report.single_metrics),
        "baselines": {**single, task.floor_name: figures(floor)},
        "evaluation": _HOW.format(items=report.items),
    }
