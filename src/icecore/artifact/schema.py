"""The manifest: what a saved model says of itself. Its schema is versioned; old versions stay readable."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST = "manifest.json"
HEADS = "head.safetensors"
CARD = "README.md"
BACKBONE = "backbone"
SCHEMA: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Part):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


Figures = dict[str, Figure | None]


class ColumnRef(_Part):
    """A feature column: layer, pooling, and the key that the backbone must give it again."""

    layer: str
    pooling: str
    key: str


class BackboneRef(_Part):
    """Which frozen network, exactly.

    Attributes:
        id: as the user wrote it.
        location: the same with absolute paths, where a local file or folder is meant.
        included: whether the folder `backbone/` of the artifact holds it.
    """

    id: str
    location: str
    provider: str
    architecture: dict[str, Any]
    preprocessing: dict[str, Any]
    licence: str
    licence_source: str
    source: str
    columns: tuple[ColumnRef, ...]
    included: bool = False


class TargetRef(_Part):
    """One target and its head. Columns are numbers into the backbone's; several are concatenated in that order."""

    name: str
    task: Literal["classification"]
    classes: tuple[str | int | float | bool, ...]
    columns: tuple[int, ...]
    head: dict[str, Any]
    chosen: dict[str, Any]
    stores_training_rows: bool
    metrics: Figures
    baselines: dict[str, Figures]
    evaluation: str


class DataRef(_Part):
    """What it was trained on. The fingerprint is the hash of the row keys and labels, in order."""

    name: str
    items: int
    bad_items: int
    fingerprint: str


class Manifest(_Part):
    """`manifest.json`, schema version 1. `heads` is the hash of the file that holds the heads' arrays."""

    schema_version: Literal[1] = SCHEMA
    icecore: str
    created: str
    modality: str
    backbone: BackboneRef
    targets: tuple[TargetRef, ...] = Field(min_length=1)
    heads: str = ""
    data: DataRef
    versions: dict[str, str]
