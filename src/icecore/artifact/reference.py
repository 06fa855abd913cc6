"""From a loaded backbone to its reference in the manifest, and back, with the check that it is the same network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from icecore.artifact.schema import BACKBONE, BackboneRef, ColumnRef
from icecore.backbones import Extractor, load, load_saved, own_preprocessing
from icecore.backbones.reference import absolute
from icecore.errors import ArtifactError, BackboneError, FingerprintError, LayerError
from icecore.prefix import Column, column_key, precision_of


def describe(backbone: Extractor, columns: Sequence[Column]) -> BackboneRef:
    """The reference to a backbone, with the keys of the columns that the heads read."""
    return BackboneRef(
        id=backbone.id,
        location=absolute(backbone.id),
        provider=backbone.provider,
        architecture=dict(backbone.architecture),
        preprocessing=dict(backbone.preprocessing.value),
        licence=backbone.licence.name,
        licence_source=backbone.licence.source,
        source=backbone.source,
        precision=precision_of(backbone),
        columns=tuple(ColumnRef(layer=c.layer, pooling=c.pooling, key=column_key(backbone, c)) for c in columns),
    )


def resolve(
    reference: BackboneRef,
    folder: Path,
    *,
    override: str | None,
    device: str | None,
    engine: str,
    trust_remote_code: bool,
) -> Extractor:
    """Load the backbone of an artifact: its own copy, or by its id, or by another (`override`). `check` judges it.

    Raises ArtifactError where none is found.
    """
    how: dict[str, Any] = {"precision": reference.precision, "engine": engine}
    try:
        if reference.included and override is None:
            return load_saved(reference.location, folder / BACKBONE, reference.preprocessing, device, **how)
        own = own_preprocessing(reference.preprocessing)
        name = override or reference.location
        return load(name, preprocess=own, device=device, trust_remote_code=trust_remote_code, **how)
    except BackboneError as error:
        raise ArtifactError(
            f"The backbone of {folder} cannot be loaded: {error}",
            do=f"Where the same weights lie elsewhere, name them with --backbone ID; it was {reference.id}.",
        ) from error


def check(reference: BackboneRef, backbone: Extractor, folder: Path) -> None:
    """Raise FingerprintError unless the backbone gives every column the key that the artifact has."""
    for column in reference.columns:
        try:
            found = column_key(backbone, Column(column.layer, column.pooling))
        except LayerError:
            found = ""
        if found != column.key:
            raise FingerprintError(
                f"{backbone.id} is not the network that {folder} was trained on: {_difference(reference, backbone)}.",
                expected=f"Expected {reference.id} as it was then, up to the layer {column.layer}.",
                do="Restore the weights, name the right ones with --backbone ID, or fit again.",
            )


def _difference(reference: BackboneRef, backbone: Extractor) -> str:
    if reference.provider != backbone.provider:
        return f"it comes from {backbone.provider}, not {reference.provider}"
    if reference.architecture != dict(backbone.architecture):
        return "its architecture or configuration differs"
    if reference.precision != precision_of(backbone):
        return f"it runs in {precision_of(backbone)}, not {reference.precision}"
    if reference.preprocessing != dict(backbone.preprocessing.value):
        return "its preprocessing differs"
    return "its weights differ"
