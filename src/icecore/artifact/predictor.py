"""The finished predictor: a frozen backbone, the columns that its heads read, and the heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from icecore import heads
from icecore.artifact import saving
from icecore.artifact.reference import check, resolve
from icecore.artifact.schema import HEADS, MANIFEST, Manifest, TargetRef
from icecore.backbones import Extractor, Licence, licence
from icecore.data import BadItem, Dataset
from icecore.errors import ArtifactError
from icecore.features import Features, Progress, extract
from icecore.heads import Head
from icecore.prefix import Column
from icecore.store import Store


@dataclass(frozen=True, slots=True)
class Prediction:
    """One input's label, its probability, and those of all classes."""

    input: str
    label: Any
    probability: float
    probabilities: dict[Any, float]


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """Predictions of the good inputs, in their order.

    Attributes:
        inputs: names of the inputs, n of them.
        rows: position of each in the data as given, (n,).
        classes: k labels.
        probabilities: (n, k).
        bad: inputs that were set aside.
    """

    inputs: list[str]
    rows: np.ndarray
    classes: tuple[Any, ...]
    probabilities: np.ndarray
    bad: tuple[BadItem, ...]

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each input, (n,)."""
        labels: np.ndarray = label_array(self.classes)[self.probabilities.argmax(1)]
        return labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.probabilities[index]
        best = int(row.argmax())
        named = {label: float(p) for label, p in zip(self.classes, row, strict=True)}
        return Prediction(self.inputs[index], self.classes[best], float(row[best]), named)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))


def label_array(classes: Sequence[Any]) -> np.ndarray:
    """Class labels as an array: numbers and truth values as such, texts as objects."""
    kinds = {type(label) for label in classes}
    return np.array(classes, dtype=object if kinds & {str} or len(kinds) > 1 else None)


class Predictor:
    """A saved model, loaded.

    Args:
        manifest: what it says of itself.
        backbone: the frozen network, already checked.
        fitted: a head for each of the manifest's targets.
    """

    def __init__(self, manifest: Manifest, backbone: Extractor, fitted: Mapping[str, Head]) -> None:
        self.manifest, self.backbone, self.heads = manifest, backbone, dict(fitted)

    @property
    def columns(self) -> list[Column]:
        """The feature columns that the heads read."""
        return [Column(c.layer, c.pooling) for c in self.manifest.backbone.columns]

    def features(self, dataset: Dataset, store: Store, **options: Any) -> Features:
        """Features of a data set, from the store or computed. Options are those of `icecore.features.extract`."""
        return extract(self.backbone, dataset, self.columns, store=store, **options)

    def matrix(self, features: Features, target: TargetRef) -> np.ndarray:
        """What a target's head reads: its columns side by side, (n, d)."""
        return stacked(features, [self.columns[i] for i in target.columns])

    def predict(
        self, dataset: Dataset, *, store: Store, progress: Progress | None = None, **options: Any
    ) -> dict[str, Predictions]:
        """Predictions of every target, by its name."""
        features = self.features(dataset, store, progress=progress, **options)
        return {target.name: self._predicted(features, target) for target in self.manifest.targets}

    def _predicted(self, features: Features, target: TargetRef) -> Predictions:
        items = [features.dataset.inputs[i] for i in range(len(features))]
        proba = np.empty((0, len(target.classes)))
        if items:
            proba = self.heads[target.name].predict_proba(self.matrix(features, target))
        rows = np.array([item.row for item in items], dtype=np.int64)
        return Predictions([item.name for item in items], rows, target.classes, proba, features.bad)


def stacked(features: Features, columns: Sequence[Column]) -> np.ndarray:
    """Columns side by side, (n, d)."""
    parts = [features.matrix(column) for column in columns]
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def save(path: Path, predictor: Predictor, *, include_backbone: bool = False) -> None:
    """Write a predictor to a folder. Raises ArtifactError, HeadError, BackboneError."""
    targets: list[TargetRef] = []
    arrays: dict[str, np.ndarray] = {}
    for number, target in enumerate(predictor.manifest.targets):
        config, own = predictor.heads[target.name].state()
        targets.append(target.model_copy(update={"head": config}))
        arrays |= {f"{number}.{name}": value for name, value in own.items()}
    manifest = predictor.manifest.model_copy(update={"targets": tuple(targets)})
    saving.save(path, manifest, arrays, backbone=predictor.backbone, include_backbone=include_backbone)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a saved model. Raises ArtifactError."""
    file = path / MANIFEST
    if not file.is_file():
        raise ArtifactError(f"{path} is no icecore model: it holds no {MANIFEST}.", do="Make one with `icecore fit`.")
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(
            f"{file} is not a manifest that this version of icecore understands ({where}: {first['msg']}).",
            do="It may be damaged, or made by a newer version: update icecore, or fit again.",
        ) from error


def load(
    path: Path,
    *,
    backbone: Extractor | str | None = None,
    device: str | None = None,
    trust_remote_code: bool = False,
    require_licence: str | None = None,
) -> Predictor:
    """Load a saved model and check that the backbone it finds is the one that it was trained on.

    Args:
        path: the artifact's folder.
        backbone: the same network elsewhere: an id, or one that is already loaded.
        device: where it runs.
        trust_remote_code: see `icecore.backbones.load`.
        require_licence: see `icecore.backbones.load`.

    Raises ArtifactError, FingerprintError, LicenceError.
    """
    manifest = read_manifest(path)
    reference = manifest.backbone
    licence.require(Licence(reference.licence), require_licence, reference.id)
    if backbone is None or isinstance(backbone, str):
        backbone = resolve(reference, path, override=backbone, device=device, trust_remote_code=trust_remote_code)
    else:
        check(reference, backbone, path)
    return Predictor(manifest, backbone, _heads(path, manifest))


def _heads(path: Path, manifest: Manifest) -> dict[str, Head]:
    try:
        arrays = load_file(path / HEADS)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{path / HEADS} cannot be read: {error}.", do="Copy the model again, or fit again."
        ) from error
    return {
        target.name: heads.restore(target.head, _of(arrays, f"{number}."))
        for number, target in enumerate(manifest.targets)
    }


def _of(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
