"""`hf:` networks of Transformers, by hub id or local folder, with their own processor or tokenizer.

What a network takes is the main input of its class, so no architecture needs an entry here; `hf_vision` and its
neighbours each build those of one modality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from icecore.backbones import hf_sound, hf_text, hf_towers, hf_vision, saved
from icecore.backbones.base import Entry, Preprocessing
from icecore.backbones.hf_checkpoint import Checkpoint
from icecore.backbones.joined import JoinedBackbone
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference
from icecore.errors import BackboneError, UsageError

_BUILD: dict[str, Callable[[Checkpoint, Preprocessing | None], TorchBackbone]] = {
    "input_features": hf_sound.build,
    "input_ids": hf_text.build,
    "input_values": hf_sound.build,
    "pixel_values": hf_vision.build,
}


class TransformersProvider:
    """Transformers: networks for images, texts, sounds, and for images and texts together."""

    summary = (
        "any image, text or sound network of Transformers, by hub id or local folder; of CLIP and the like also both"
    )
    extra = "hf"
    requires: tuple[str, ...] = ("transformers", "torchvision")
    example = "hf:google/vit-base-patch16-224"

    def load(
        self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool
    ) -> TorchBackbone | JoinedBackbone:
        """Load configuration, processor or tokenizer, and weights."""
        checkpoint = Checkpoint.open(reference, trust_remote_code)
        if hf_towers.has_towers(checkpoint):
            return hf_towers.build(checkpoint, preprocess)
        if hasattr(checkpoint.config, "audio_config") and hasattr(checkpoint.config, "text_config"):
            raise BackboneError(
                f"{reference} reads sounds and texts together ({type(checkpoint.config).__name__}).",
                expected="One tower for sounds alone, such as Wav2Vec2, HuBERT, Whisper or AST.",
            )
        takes = checkpoint.main_input
        if takes not in _BUILD:
            raise BackboneError(
                f"{reference} takes {takes}.", expected=f"A network of Transformers that takes {' or '.join(_BUILD)}."
            )
        if reference.options and takes != "input_ids":
            raise UsageError(
                f"Got the option {next(iter(reference.options))!r} in {reference}, which takes {takes} alone.",
                expected="Options are long, max_length and overlap of text networks, and input of those for images "
                "and texts, such as CLIP.",
            )
        return _BUILD[takes](checkpoint, preprocess)

    def save(self, backbone: TorchBackbone | JoinedBackbone, folder: Path) -> None:
        """Write a Transformers folder."""
        parts: list[Any] = [*backbone.parts.values()] if isinstance(backbone, JoinedBackbone) else [backbone]
        parts[0].module.save_pretrained(folder)  # towers write the whole model
        for part in parts:
            if hasattr(part.preprocessing, "save"):
                part.preprocessing.save(folder)

    def load_saved(
        self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]
    ) -> TorchBackbone | JoinedBackbone:
        """From the folder."""
        own = saved.own_preprocessing(preprocessing)
        return self.load(replace(reference, name=str(folder), revision=None), preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """None: the hub has them."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: the hub has it."""
        return []


provider = TransformersProvider()
