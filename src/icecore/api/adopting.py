"""A fitted model with the network and heads that fine-tuning gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from icecore import artifact
from icecore.api.describing import data_ref, figures, versions
from icecore.artifact import Change, Evidence, Predictor, TargetEvidence, TargetRef
from icecore.artifact.evidence import named
from icecore.backbones import LAST, TorchBackbone
from icecore.features import Features
from icecore.prefix import Column
from icecore.tasks import AnyHead
from icecore.training.comparing import Comparison
from icecore.training.loop import Task
from icecore.training.tuning import Tuned


def with_tuned(
    predictor: Predictor,
    backbone: TorchBackbone,
    features: Features,
    *,
    tuned: Tuned,
    comparison: Comparison,
    unfrozen: Sequence[str],
    pooling: str,
    task: Task,
) -> Predictor:
    """The model with the tuned network and heads, and a manifest that says what was done and how good it is."""
    log = tuple(asdict(epoch) for epoch in tuned.log)
    change = Change(tuned.kind, tuned.changes, artifact.base_key(backbone), tuple(unfrozen), tuned.scale, log)
    network = artifact.applied(backbone, [change])
    old = predictor.manifest
    phase = "a contrastive phase and " if tuned.log and tuned.log[0].number == 0 else ""
    said = f"Fine-tuned from {unfrozen[0]} on, {phase}{tuned.epochs} epochs."
    targets = [_target(*each, comparison, n, said) for n, each in enumerate(zip(old.targets, tuned.heads, strict=True))]
    changed: dict[str, Any] = {
        "icecore": version("icecore"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "backbone": artifact.describe(network, [Column(LAST, pooling)]),
        "targets": tuple(targets),
        "data": data_ref(features),
        "versions": versions(),
    }
    heads = {target.name: head for target, head in zip(old.targets, tuned.heads, strict=True)}
    return Predictor(
        old.model_copy(update=changed),
        network,
        heads,
        changes=(*predictor.changes, change),
        base=predictor.base,
        evidence=_evidence(old.targets, features, task, comparison),
    )


def _evidence(targets: Sequence[TargetRef], features: Features, task: Task, comparison: Comparison) -> Evidence:
    """What the tuned models said of the rows that they were compared on."""
    inputs, paths = named(features.dataset.inputs)
    found = {}
    for target, codes, proba in zip(targets, task.codes, comparison.proba, strict=True):
        k = max(1, len(target.classes))
        said, scored = np.full((len(codes), k), np.nan), np.zeros(len(codes), bool)
        said[comparison.tested], scored[comparison.tested] = proba[:, :k], True
        found[target.name] = TargetEvidence(target.name, target.task, target.classes, codes, said, scored)
    return Evidence(list(features.rows), inputs, paths, task.groups, features.dataset.splits, found)


def _target(target: TargetRef, head: AnyHead, comparison: Comparison, number: int, said: str) -> TargetRef:
    changed: dict[str, Any] = {
        "columns": (0,),
        "chosen": {"head": f"{head.name}, fine-tuned", "because": said, "by_layer": {}},
        "stores_training_rows": False,
        "metrics": figures(comparison.metrics[number]),
        "baselines": {"frozen model": figures(comparison.frozen[number])},
        "evaluation": comparison.how,
        "interval": comparison.intervals[number],
    }
    return target.model_copy(update=changed)
