"""Image networks of Transformers, with their own image processor.

The class is the one that the configuration names, so that a classifier's weights are there; `last` is what the
classifier reads, or for a network without one its pooled output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from icecore.backbones.base import Preprocessing
from icecore.backbones.hf_checkpoint import PROVIDER, Checkpoint, base
from icecore.backbones.network import TorchBackbone
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.torch import unknown_preprocessing
from icecore.data.preprocessing import ImagePreprocessing


def build(checkpoint: Checkpoint, preprocess: Preprocessing | None) -> TorchBackbone:
    """The backbone of an image checkpoint; `preprocess` overrides its own processor."""
    preprocess = preprocess or processor_of(checkpoint)
    module, notes = checkpoint.network(checkpoint.cls)
    make = partial(
        TorchBackbone,
        module,
        id=str(checkpoint.reference),
        provider=PROVIDER,
        architecture={"class": type(module).__name__, "config": checkpoint.structure},
        preprocessing=preprocess,
        licence=checkpoint.licence,
        source=checkpoint.source,
        notes=notes,
    )
    backbone = make()
    return backbone if backbone.classifier or base(module) is module else make(last=_base_output)


class ProcessorPreprocessing:
    """A Transformers image processor; its value is its configuration."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: the processor's settings and the class and library of its arithmetic."""
        settings = json.loads(self._processor.to_json_string())
        return {"kind": "transformers", "class": type(self._processor).__name__, **settings}

    def save(self, folder: Path) -> None:
        """Write `preprocessor_config.json`."""
        self._processor.save_pretrained(folder)

    def __call__(self, decoded: Image.Image) -> Tensor:
        """RGB image to (channels, height, width)."""
        return torch.as_tensor(self._processor(images=decoded, return_tensors="pt")["pixel_values"][0])


def processor_of(checkpoint: Checkpoint) -> Preprocessing:
    """Its own image processor, or `preprocess.json` beside it; any for random weights. Raises PreprocessingError."""
    reference = checkpoint.reference
    if not checkpoint.has_file("preprocessor_config.json", "processor_config.json"):
        sidecar = preprocessing_beside(checkpoint.folder / "config.json")
        if sidecar is not None:
            return sidecar
        if reference.seed is None:
            raise unknown_preprocessing(str(reference))
        return _plain(checkpoint.config)
    load = checkpoint.transformers.AutoImageProcessor.from_pretrained
    return ProcessorPreprocessing(checkpoint.attempt(lambda: load(**checkpoint.where)))


def _plain(config: Any) -> Preprocessing:
    """For random weights any normalisation is as good as another."""
    size = getattr(config, "image_size", None) or 224
    return ImagePreprocessing(resize="exact", resize_size=size)


def _base_output(module: nn.Module, x: Tensor) -> Tensor:
    """For heads that are no single linear layer (a classifier and its distilled twin): what the base gives, pooled."""
    output = base(module)(x)
    pooled: Tensor | None = output.get("pooler_output")
    first: Tensor = output[0]
    return first[:, 0] if pooled is None else pooled
