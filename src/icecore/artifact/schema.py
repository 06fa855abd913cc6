"""The manifest: what a saved model says of itself. Its schema is versioned; old versions stay readable."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from icecore.errors import ArtifactError

MANIFEST = "manifest.json"
HEADS = "head.safetensors"
CARD = "README.md"
BACKBONE = "backbone"
CHANGES = "changes"
FLOAT32: Literal["float32"] = "float32"
MEMBERS = "members"
SCHEMA = 4  # the newest; a model is written in the lowest version that can say all of it, which earlier ones read


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
        precision: what it runs in.
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
    precision: Literal["float32", "bfloat16"] = FLOAT32


class TargetRef(_Part):
    """One target and its head. Columns are numbers into the backbone's; several are concatenated in that order.

    Attributes:
        classes: labels in the order of the probabilities, of ordinal ones the lowest first; none of numbers.
        sources: the table's columns that make the target, where these are several of 0 and 1.
        interval: of numbers, half the width of the interval that holds 95 % of new ones.
    """

    name: str
    task: Literal["classification", "multilabel", "ordinal", "regression"]
    classes: tuple[str | int | float | bool, ...]
    columns: tuple[int, ...]
    head: dict[str, Any]
    chosen: dict[str, Any]
    stores_training_rows: bool
    metrics: Figures
    baselines: dict[str, Figures]
    evaluation: str
    sources: tuple[str, ...] = ()
    interval: float | None = None


class ChangeRef(_Part):
    """A change of the network's weights.

    Attributes:
        file: in the folder `changes/`.
        kind: `weights.v1`, tensors in place of the network's own; `lora.v1`, low-rank matrices to be added to them.
        digest: hash of the file.
        base: key of `last` before the change.
        scale: factor of the product of low-rank matrices.
        unfrozen: the layers that were trained.
        log: what each epoch of the training did.
    """

    file: str
    kind: Literal["weights.v1", "lora.v1"]
    digest: str
    base: str
    scale: float = 1.0
    unfrozen: tuple[str, ...]
    log: tuple[dict[str, Any], ...] = ()


class MemberRef(_Part):
    """A model of an ensemble, whole in a folder of its own.

    Attributes:
        folder: in the folder of the ensemble.
        name: what it was called when the ensemble was made.
        digest: hash of its manifest.
        backbone: its network.
        weights: its share in the mean, by target.
    """

    folder: str
    name: str
    digest: str = ""
    backbone: BackboneRef
    weights: dict[str, float]


class DataRef(_Part):
    """What it was trained on. The fingerprint is the hash of the row keys and labels, in order."""

    name: str
    items: int
    bad_items: int
    fingerprint: str


class Manifest(_Part):
    """`manifest.json`. `heads` is the hash of the file that holds the heads' arrays.

    Schema version 2 has `changes`, what fine-tuning changed of the network, in order, and the backbone's precision;
    version 3 has targets other than classes; version 4 is that of an ensemble, which has `members` and neither a
    network nor heads of its own.
    """

    schema_version: Literal[1, 2, 3, 4] = 1
    icecore: str
    created: str
    modality: str
    backbone: BackboneRef | None = None
    members: tuple[MemberRef, ...] = ()
    targets: tuple[TargetRef, ...] = Field(min_length=1)
    heads: str = ""
    changes: tuple[ChangeRef, ...] = ()
    data: DataRef
    versions: dict[str, str]

    @model_validator(mode="after")
    def _on_something(self) -> Self:
        if (self.backbone is None) != bool(self.members):
            raise ValueError("it names a backbone, or the members of an ensemble")
        return self

    @property
    def network(self) -> BackboneRef:
        """The only network. Raises ArtifactError for an ensemble, which has one in each member."""
        if self.backbone is None:
            raise ArtifactError("An ensemble has no network of its own.", do=f"Take one of its {MEMBERS}/.")
        return self.backbone

    @property
    def networks(self) -> tuple[BackboneRef, ...]:
        """All networks that a prediction takes."""
        return tuple(member.backbone for member in self.members) or (self.network,)

    def layers_of(self, target: TargetRef) -> list[str]:
        """What a target's head reads; of an ensemble the networks."""
        if self.members:
            return [member.backbone.id for member in self.members if member.weights.get(target.name)]
        return [self.network.columns[i].layer for i in target.columns]
