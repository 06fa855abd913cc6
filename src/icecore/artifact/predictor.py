"""The finished predictor: a frozen backbone, the columns that its heads read, and the heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from icecore.artifact import saving
from icecore.artifact.beside import WITH_SETS, Beside, require_sets, sets_of
from icecore.artifact.changes import Change
from icecore.artifact.evidence import Evidence, read_evidence
from icecore.artifact.familiar import read_typical
from icecore.artifact.predictions import LabelSetPredictions, NumberPredictions, Predictions, RankPredictions
from icecore.artifact.schema import Manifest, TargetRef
from icecore.backbones import Extractor
from icecore.data import Dataset
from icecore.evaluation import Typicality
from icecore.features import Features, Progress, extract
from icecore.heads import Rows, SideBySide, pieces
from icecore.prefix import Column
from icecore.store import Store
from icecore.tasks import AnyHead, task_of


class Predictor:
    """A saved model, loaded.

    Args:
        manifest: what it says of itself.
        backbone: the frozen network, already checked.
        fitted: a head for each of the manifest's targets.
        changes: what fine-tuning changed of the network, in order.
        base: the network before that; by default there were no changes.
        evidence: how the fit did on each of its items, or the file that holds it.
        typical: what is typical of the training data, by target, or the file that holds it.
    """

    def __init__(
        self,
        manifest: Manifest,
        backbone: Extractor,
        fitted: Mapping[str, AnyHead],
        *,
        changes: Sequence[Change] = (),
        base: Extractor | None = None,
        evidence: Evidence | Path | None = None,
        typical: Mapping[str, Typicality] | Path | None = None,
    ) -> None:
        self.manifest, self.backbone, self.heads = manifest, backbone, dict(fitted)
        self.changes, self.base = tuple(changes), base or backbone
        self._evidence, self._typical = evidence, typical

    @cached_property
    def evidence(self) -> Evidence | None:
        """How the fit did on each of its items; None for models saved before that was kept, or without it.

        Raises ArtifactError where the file is damaged.
        """
        if isinstance(self._evidence, Path):
            return read_evidence(self._evidence, self.manifest.data.fingerprint)
        return self._evidence

    @property
    def seen(self) -> set[bytes]:
        """Content keys of the items that it was fitted on, as far as they are known."""
        if self.evidence is None:
            return set()
        if self.evidence.splits is None:
            return set(self.evidence.rows)
        splits = self.evidence.splits.tolist()
        scored = "test" if "test" in splits else "val"
        return {row for row, split in zip(self.evidence.rows, splits, strict=True) if split not in (scored, "left out")}

    @cached_property
    def typical(self) -> Mapping[str, Typicality]:
        """What is typical of the training data, by target, as far as it is known. Raises ArtifactError."""
        if isinstance(self._typical, Path):
            names = [target.name for target in self.manifest.targets]
            return read_typical(self._typical, names, self.manifest.data.fingerprint)
        return self._typical or {}

    @property
    def columns(self) -> list[Column]:
        """The feature columns that the heads read."""
        return [Column(c.layer, c.pooling) for c in self.manifest.network.columns]

    def features(self, dataset: Dataset, store: Store, **options: Any) -> Features:
        """Features of a data set, from the store or computed. Options are those of `icecore.features.extract`."""
        return extract(self.backbone, dataset, self.columns, store=store, **options)

    def matrix(self, features: Features, target: TargetRef) -> np.ndarray:
        """What a target's head reads: its columns side by side, (n, d)."""
        rows = self._rows(features, target)
        return rows[: len(rows)]

    def probabilities(self, features: Features, target: TargetRef) -> np.ndarray:
        """The probabilities of a target's classes for the items, (n, k); of a number its value, (n, 1)."""
        return self.says(features, target)[:, : max(1, len(target.classes))]

    def says(self, features: Features, target: TargetRef) -> np.ndarray:
        """What a target's head says of the items, (n, width), see `icecore.tasks`. Features are read piece by piece."""
        return self._judged(features, target, familiar=False)[0]

    def _judged(
        self, features: Features, target: TargetRef, *, familiar: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """What the head says of the items (n, width), and how familiar they are (n,), where that is known."""
        task, head = task_of(target.task, target.classes), self.heads[target.name]
        own = self.typical.get(target.name) if familiar else None
        said = np.empty((len(features), task.width))
        p_values = None if own is None else np.empty(len(features))
        for at, rows in pieces(self._rows(features, target)) if len(features) else ():
            said[at] = task.says(head, rows)
            if own is not None and p_values is not None:
                p_values[at] = own.p_values(rows)
        return said, p_values

    def _rows(self, features: Features, target: TargetRef) -> Rows:
        parts = [features.stored(self.columns[i]) for i in target.columns]
        return parts[0] if len(parts) == 1 else SideBySide(parts)

    def predict(
        self,
        dataset: Dataset,
        *,
        store: Store,
        coverage: float | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> dict[str, Predictions]:
        """Predictions of every target, by its name; with a coverage also the classes that cannot be ruled out at it.

        Raises UsageError where there are no such sets.
        """
        if coverage is not None:
            require_sets(self.manifest.targets)
        features = self.features(dataset, store, progress=progress, **options)
        return {target.name: self._predicted(features, target, coverage) for target in self.manifest.targets}

    def _beside(
        self, said: np.ndarray, familiarity: np.ndarray | None, target: TargetRef, coverage: float | None
    ) -> Beside:
        k = len(target.classes)
        asked = coverage is not None and target.task in WITH_SETS
        sets = sets_of(target, said[:, :k], coverage, self.evidence) if coverage is not None and asked else None
        unlike = None if familiarity is None else self.typical[target.name].unlike(familiarity)
        return Beside(sets, familiarity, unlike)

    def _predicted(self, features: Features, target: TargetRef, coverage: float | None) -> Predictions:
        items = [features.dataset.inputs[i] for i in range(len(features))]
        (said, familiarity), k = self._judged(features, target), len(target.classes)
        beside = self._beside(said, familiarity, target, coverage)
        rows, names = np.array([item.row for item in items], dtype=np.int64), [item.name for item in items]
        notes = (*features.notes, *beside.note)
        about = (names, rows, target.classes, said[:, :k], features.bad, notes, beside)
        if target.task == "regression":
            return NumberPredictions(*about, values=said[:, 0], half_width=target.interval)
        if target.task == "multilabel":
            return LabelSetPredictions(*about, thresholds=said[0, k:] if len(said) else None)
        return RankPredictions(*about) if target.task == "ordinal" else Predictions(*about)

    def save(self, path: Path, *, include_backbone: bool = False, evidence: bool = True) -> None:
        """Write it to a folder. Raises ArtifactError, HeadError, BackboneError."""
        targets: list[TargetRef] = []
        arrays: dict[str, np.ndarray] = {}
        for number, target in enumerate(self.manifest.targets):
            config, own = self.heads[target.name].state()
            targets.append(target.model_copy(update={"head": config}))
            arrays |= {f"{number}.{name}": value for name, value in own.items()}
        saving.save(
            path,
            self.manifest.model_copy(update={"targets": tuple(targets)}),
            arrays,
            changes=self.changes,
            evidence=self.evidence if evidence else None,
            typical=self.typical,
            backbone=self.base,
            include_backbone=include_backbone,
        )
