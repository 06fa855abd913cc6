"""The finished predictor: a frozen backbone, the columns that its heads read, and the heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from icecore.artifact import saving
from icecore.artifact.changes import Change
from icecore.artifact.evidence import Evidence, read_evidence
from icecore.artifact.predictions import Predictions
from icecore.artifact.schema import Manifest, TargetRef
from icecore.backbones import Extractor
from icecore.data import Dataset
from icecore.features import Features, Progress, extract
from icecore.heads import Head, Rows, SideBySide, pieces
from icecore.prefix import Column
from icecore.store import Store


class Predictor:
    """A saved model, loaded.

    Args:
        manifest: what it says of itself.
        backbone: the frozen network, already checked.
        fitted: a head for each of the manifest's targets.
        changes: what fine-tuning changed of the network, in order.
        base: the network before that; by default there were no changes.
        evidence: how the fit did on each of its items, or the file that holds it.
    """

    def __init__(
        self,
        manifest: Manifest,
        backbone: Extractor,
        fitted: Mapping[str, Head],
        *,
        changes: Sequence[Change] = (),
        base: Extractor | None = None,
        evidence: Evidence | Path | None = None,
    ) -> None:
        self.manifest, self.backbone, self.heads = manifest, backbone, dict(fitted)
        self.changes, self.base = tuple(changes), base or backbone
        self._evidence = evidence

    @cached_property
    def evidence(self) -> Evidence | None:
        """How the fit did on each of its items; None for models saved before that was kept, or without it.

        Raises ArtifactError where the file is damaged.
        """
        if isinstance(self._evidence, Path):
            return read_evidence(self._evidence, self.manifest.data.fingerprint)
        return self._evidence

    @property
    def columns(self) -> list[Column]:
        """The feature columns that the heads read."""
        return [Column(c.layer, c.pooling) for c in self.manifest.backbone.columns]

    def features(self, dataset: Dataset, store: Store, **options: Any) -> Features:
        """Features of a data set, from the store or computed. Options are those of `icecore.features.extract`."""
        return extract(self.backbone, dataset, self.columns, store=store, **options)

    def matrix(self, features: Features, target: TargetRef) -> np.ndarray:
        """What a target's head reads: its columns side by side, (n, d)."""
        rows = self._rows(features, target)
        return rows[: len(rows)]

    def probabilities(self, features: Features, target: TargetRef) -> np.ndarray:
        """What a target's head says of the items, (n, k). Features are read piece by piece."""
        proba = np.empty((len(features), len(target.classes)))
        for at, rows in pieces(self._rows(features, target)) if len(features) else ():
            proba[at] = self.heads[target.name].predict_proba(rows)
        return proba

    def _rows(self, features: Features, target: TargetRef) -> Rows:
        parts = [features.stored(self.columns[i]) for i in target.columns]
        return parts[0] if len(parts) == 1 else SideBySide(parts)

    def predict(
        self, dataset: Dataset, *, store: Store, progress: Progress | None = None, **options: Any
    ) -> dict[str, Predictions]:
        """Predictions of every target, by its name."""
        features = self.features(dataset, store, progress=progress, **options)
        return {target.name: self._predicted(features, target) for target in self.manifest.targets}

    def _predicted(self, features: Features, target: TargetRef) -> Predictions:
        items = [features.dataset.inputs[i] for i in range(len(features))]
        proba = self.probabilities(features, target)
        rows = np.array([item.row for item in items], dtype=np.int64)
        return Predictions([item.name for item in items], rows, target.classes, proba, features.bad, features.notes)


def save(path: Path, predictor: Predictor, *, include_backbone: bool = False, evidence: bool = True) -> None:
    """Write a predictor to a folder. Raises ArtifactError, HeadError, BackboneError."""
    targets: list[TargetRef] = []
    arrays: dict[str, np.ndarray] = {}
    for number, target in enumerate(predictor.manifest.targets):
        config, own = predictor.heads[target.name].state()
        targets.append(target.model_copy(update={"head": config}))
        arrays |= {f"{number}.{name}": value for name, value in own.items()}
    manifest = predictor.manifest.model_copy(update={"targets": tuple(targets)})
    saving.save(
        path,
        manifest,
        arrays,
        changes=predictor.changes,
        evidence=predictor.evidence if evidence else None,
        backbone=predictor.base,
        include_backbone=include_backbone,
    )
