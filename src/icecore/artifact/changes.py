"""What fine-tuning changed of a network: tensors by name, kept beside the head, applied in order over the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load as unpacked
from safetensors.torch import save as packed
from torch import Tensor

from icecore import keys
from icecore.artifact.files import read_checked
from icecore.artifact.schema import CHANGES, ChangeRef
from icecore.backbones import LAST, Extractor, TorchBackbone
from icecore.errors import FingerprintError
from icecore.prefix import prefix_key

A, B = ".lora_A", ".lora_B"


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        kind: see `ChangeRef`.
        tensors: by the names of parameters and buffers; for `lora.v1` two matrices, `PATH.lora_A`, (rank, columns), and
            `PATH.lora_B`, (rows, rank), whose product is added to the weight of the module at PATH, a matrix too when
            all but its first axis are flattened.
        base: key of `last` before the change.
        unfrozen: the layers that were trained.
        scale: factor of the product of low-rank matrices.
        log: what each epoch of the training did, as JSON.
    """

    kind: Literal["weights.v1", "lora.v1"]
    tensors: Mapping[str, Tensor]
    base: str
    unfrozen: tuple[str, ...]
    scale: float = 1.0
    log: tuple[dict[str, Any], ...] = ()


def base_key(backbone: Extractor) -> str:
    """What a change says of the network that it is applied to."""
    return prefix_key(backbone, LAST)


def applied(backbone: Extractor, changes: Sequence[Change], where: str = "the model") -> Extractor:
    """The network with changes. Raises FingerprintError where they were made for another."""
    for change in changes:
        if not isinstance(backbone, TorchBackbone) or base_key(backbone) != change.base:
            raise FingerprintError(
                f"{backbone.id} is not the network that {where} was fine-tuned from.",
                do="Restore the weights, name the right ones with --backbone ID, or fine-tune again.",
            )
        backbone = backbone.changed(change.tensors if change.kind == "weights.v1" else _sums(backbone, change))
    return backbone


def write(changes: Sequence[Change], folder: Path) -> tuple[ChangeRef, ...]:
    """Write changes into `changes/` of an artifact. Returns what the manifest says of them."""
    return tuple(_written(change, folder / CHANGES, f"{i:03d}.safetensors") for i, change in enumerate(changes))


def read(references: Sequence[ChangeRef], folder: Path) -> list[Change]:
    """Read changes back. Raises ArtifactError where a file is not the one that was written."""
    return [
        Change(
            own.kind,
            read_checked(folder / CHANGES / own.file, own.digest, unpacked, "fine-tune"),
            own.base,
            own.unfrozen,
            own.scale,
            own.log,
        )
        for own in references
    ]


def _written(change: Change, folder: Path, name: str) -> ChangeRef:
    folder.mkdir(exist_ok=True)
    content = packed({key: value.contiguous() for key, value in change.tensors.items()})
    (folder / name).write_bytes(content)
    return ChangeRef(
        file=name,
        kind=change.kind,
        digest=keys.row_of_bytes(content).hex(),
        base=change.base,
        scale=change.scale,
        unfrozen=change.unfrozen,
        log=change.log,
    )


def _sums(backbone: TorchBackbone, change: Change) -> dict[str, Tensor]:
    """Weights with the low-rank products added."""
    own = dict(backbone.module.named_parameters())
    paths = [name.removesuffix(A) for name in change.tensors if name.endswith(A)]
    return {f"{path}.weight": own[f"{path}.weight"] + _product(own[f"{path}.weight"], change, path) for path in paths}


def _product(weight: Tensor, change: Change, path: str) -> Tensor:
    product = change.scale * torch.matmul(change.tensors[path + B], change.tensors[path + A])
    return product.view_as(weight).to(weight.device)
