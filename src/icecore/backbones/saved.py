"""Backbones written into a folder of an artifact, and read back from there, so that it is whole anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from icecore import plugins
from icecore.backbones.base import Extractor, Preprocessing
from icecore.backbones.device import resolve
from icecore.backbones.fixed_windows import over_windows
from icecore.backbones.network import TorchBackbone
from icecore.backbones.placing import AUTO, placed
from icecore.backbones.precision import FLOAT32
from icecore.backbones.reference import Reference, parse
from icecore.data import is_own, preprocessing_from
from icecore.errors import BackboneError

WEIGHTS = "model.safetensors"


def save(backbone: Extractor, folder: Path) -> None:
    """Write weights and what else its provider needs to build it again. Raises BackboneError where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    _provider(_reference(backbone.id)).save(backbone, folder)


def load_saved(
    id: str,  # noqa: A002 - the public word for it
    folder: Path,
    preprocessing: Mapping[str, Any],
    device: str | None,
    *,
    precision: str = FLOAT32,
    engine: str = AUTO,
) -> Extractor:
    """Build again what `save` wrote. `preprocessing` is the value it had."""
    reference = _reference(id)
    backbone: Any = over_windows(_provider(reference).load_saved(reference, folder, preprocessing))
    return placed(backbone, resolve(device), precision=precision, engine=engine)


def own_preprocessing(value: Mapping[str, Any]) -> Preprocessing | None:
    """icecore's own preprocessing from its value, or that of the images among several parts; None where the value is a
    provider's.
    """
    value = value.get("image", value)
    return preprocessing_from(value) if is_own(value) else None


def save_weights(backbone: TorchBackbone, folder: Path) -> None:
    """The whole state dict as safetensors; tensors that share memory are written once each."""
    state = {name: value.detach().cpu().contiguous().clone() for name, value in backbone.module.state_dict().items()}
    save_file(state, folder / WEIGHTS)


def with_weights(reference: Reference, folder: Path) -> Reference:
    """The same architecture, with the weights of that folder."""
    return replace(reference, options={**reference.options, "weights": str(folder / WEIGHTS)}, revision=None)


def _reference(id: str) -> Reference:  # noqa: A002 - the public word for it
    if ":" not in id:
        raise BackboneError(
            f"The network {id!r} was given in memory, so it cannot be built again from a name.",
            do="Put the function that builds it into a module and use torch:module:function?weights=FILE.",
        )
    return parse(id)


def _provider(reference: Reference) -> Any:
    return plugins.get("backbones", reference.provider)
