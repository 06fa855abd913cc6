"""What a fitted model writes into its manifest: targets with their figures, and the data that it learned from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from icecore import artifact, keys
from icecore.api.fitting import FittedTarget, layers_read
from icecore.api.inspecting import parameters_of
from icecore.api.pretrained import PretrainedModel
from icecore.artifact import DataRef, Evidence, Figure, Figures, Manifest, Predictor, TargetRef
from icecore.artifact.evidence import named
from icecore.backbones import Extractor
from icecore.data import printable
from icecore.features import Features
from icecore.prefix import Column
from icecore.tasks import AnyHead, Task

_PACKAGES = ("icecore", "torch", "numpy", "scikit-learn", "pillow")


def predictor(
    net: PretrainedModel, features: Features, fitted: Sequence[FittedTarget], groups: np.ndarray
) -> Predictor:
    """What was just fitted on a network, with what the fit saw."""
    return Predictor(
        manifest(net.backbone, features, fitted),
        net.backbone,
        {one.labels.name: one.head for one in fitted},
        changes=net.changes,
        base=net.base,
        evidence=evidence(net.backbone, features, groups, fitted),
        typical={one.labels.name: one.typical for one in fitted if one.typical is not None},
    )


def manifest(backbone: Extractor, features: Features, fitted: Sequence[FittedTarget]) -> Manifest:
    """The manifest of a model that was just fitted."""
    used = layers_read([one.candidate for one in fitted])
    columns = {name: column for name, column in features.named().items() if name in used}
    return Manifest(
        icecore=version("icecore"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        modality=backbone.modality,
        backbone=artifact.describe(backbone, list(columns.values())),
        targets=tuple(_target(one, list(columns)) for one in fitted),
        data=data_ref(features),
        versions=versions(),
    )


def bare_manifest(backbone: Extractor, columns: Sequence[Column], task: Task, head: AnyHead) -> Manifest:
    """The manifest of a head that nothing was measured of, to start fine-tuning from."""
    target = TargetRef(
        name="label",
        task=task.name,
        classes=task.classes,
        columns=tuple(range(len(columns))),
        head={},
        chosen={"head": head.name, "because": "", "by_layer": {}},
        stores_training_rows=head.stores_training_rows,
        metrics={},
        baselines={},
        evaluation="",
    )
    return Manifest(
        icecore=version("icecore"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        modality=backbone.modality,
        backbone=artifact.describe(backbone, columns),
        targets=(target,),
        data=DataRef(name="", items=0, bad_items=0, fingerprint=""),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Of Python and of what features and heads depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _target(fitted: FittedTarget, layers: Sequence[str]) -> TargetRef:
    report = fitted.report
    return TargetRef(
        name=fitted.labels.name,
        task=fitted.labels.task.name,
        classes=fitted.labels.classes,
        columns=tuple(layers.index(name) for name in layers_read([fitted.candidate])),
        head={},
        chosen={"head": report.head, "because": report.chosen_because, "by_layer": report.by_layer}
        | ({} if report.ensemble is None else {"ensemble": report.ensemble.to_json()}),
        stores_training_rows=fitted.head.stores_training_rows,
        metrics=figures(report.metrics),
        baselines={name: figures(found) for name, found in report.baselines.items()},
        evaluation=report.evaluation,
        sources=fitted.labels.sources,
        interval=report.interval,
    )


def figures(found: Mapping[str, Any]) -> Figures:
    """Figures as the manifest holds them."""
    return {n: None if e is None else Figure(value=e.value, low=e.low, high=e.high) for n, e in found.items()}


def evidence(backbone: Extractor, features: Features, groups: np.ndarray, fitted: Sequence[FittedTarget]) -> Evidence:
    """How the fit did on each of its items, and what it cost."""
    inputs, paths = named(features.dataset.inputs)
    targets = {one.labels.name: one.evidence for one in fitted}
    report = features.report
    spent: dict[str, float] = {
        "computed": report.computed,
        "reused": report.reused,
        "seconds": round(report.seconds, 3),
    }
    if (parameters := parameters_of(backbone)) is not None:
        spent["parameters"] = parameters
    return Evidence(list(features.rows), inputs, paths, groups, features.dataset.splits, targets, spent)


def data_ref(features: Features) -> DataRef:
    """What the manifest says of the data."""
    labels = {name: [str(value) for value in values] for name, values in features.dataset.targets.items()}
    fingerprint = keys.key("data", {"rows": [row.hex() for row in features.rows], "labels": labels})
    name = Path(features.dataset.source).name or features.dataset.source
    return DataRef(name=printable(name), items=len(features), bad_items=len(features.bad), fingerprint=fingerprint)
