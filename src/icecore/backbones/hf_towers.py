"""Networks of Transformers with a tower for images and one for texts: CLIP, SigLIP, BLIP, BLIP-2 and their kin.

`?input=` of the id says which is meant: `image` (the default), `text`, or `image+text` for both, joined. `last` is what
the library's `get_image_features` and `get_text_features` give: the projected embedding, not normalised. BLIP-2 reads
images alone; its `last` is what the queries of its Q-Former find there, to be pooled like tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from icecore.backbones.base import Preprocessing
from icecore.backbones.hf_checkpoint import PROVIDER, Checkpoint
from icecore.backbones.hf_text import SAMPLES, tokens_of
from icecore.backbones.hf_vision import processor_of
from icecore.backbones.joined import JoinedBackbone
from icecore.backbones.network import TorchBackbone
from icecore.backbones.sequences import SequenceBackbone
from icecore.data import bag_of_words
from icecore.errors import BackboneError, PreprocessingError, UsageError

INPUTS = ("image", "text", "image+text")
_PARTS = {
    "image": ("vis", "image", "qformer"),
    "text": ("text_model", "text_encoder", "text_proj"),
}  # how their names begin


def has_towers(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint's class gives features of images and of texts, or is one of BLIP's."""
    cls = checkpoint.cls
    if cls is checkpoint.transformers.AutoModel:
        cls = checkpoint.transformers.MODEL_MAPPING.get(type(checkpoint.config), cls)
    both = hasattr(cls, "get_image_features") and hasattr(cls, "get_text_features")
    blip = type(checkpoint.config).__name__ in ("BlipConfig", "Blip2Config")
    return both or (blip and not cls.__name__.endswith("WithProjection"))  # which are one tower by themselves


def build(checkpoint: Checkpoint, preprocess: Preprocessing | None) -> TorchBackbone | JoinedBackbone:
    """The backbone of what the id asks for. `preprocess` is for images.

    Raises UsageError for an unknown `input`, BackboneError where the checkpoint has no such tower.
    """
    reference = checkpoint.reference
    wanted = reference.options.get("input", "image")
    if wanted not in INPUTS:
        raise UsageError(f"{reference} asks for the input {wanted!r}.", expected=f"One of {', '.join(INPUTS)}.")
    if preprocess is not None and wanted == "text":
        raise PreprocessingError(
            f"{reference} reads texts, which its own tokenizer prepares.", do="Leave --preprocess out."
        )
    checkpoint = replace(checkpoint, reference=replace(reference, options=_without_input(reference.options)))
    model, notes = checkpoint.network(checkpoint.cls)
    made: dict[str, TorchBackbone] = {}
    for name in wanted.split("+"):
        tower = Tower(model, name)
        _require_tower(tower, wanted, str(reference))
        about = partial(
            _image if name == "image" else _text,
            id=str(replace(reference, options={**reference.options, "input": name})),
            provider=PROVIDER,
            architecture={"class": type(model).__name__, "config": checkpoint.structure, "input": name},
            licence=checkpoint.licence,
            source=checkpoint.source,
            notes=notes,
            classifier="",
        )
        made[name] = about(tower, checkpoint, preprocess)
    return JoinedBackbone(made, id=str(reference)) if len(made) > 1 else made[wanted]


class Tower(nn.Module):
    """The modules of a model that read one kind of input, under their own names."""

    def __init__(self, model: nn.Module, reads: str) -> None:
        super().__init__()
        self.whole, self.reads = (model,), reads  # in a tuple: the rest of the model is no part of the tower
        for name, part in model.named_children():
            if name.startswith(_PARTS[reads]):
                self.add_module(name, part)
        self.query_tokens = getattr(model, "query_tokens", None) if reads == "image" else None

    def forward(self, pixel_values: Tensor | None = None, **inputs: Tensor) -> Any:
        """The library's own features; of BLIP's classes that offer none, what they compute on the way."""
        if self.query_tokens is not None:
            return _queries(self, pixel_values)
        inputs |= {} if pixel_values is None else {"pixel_values": pixel_values}
        model: Any = self.whole[0]
        features = getattr(model, f"get_{self.reads}_features", None)
        return features(**inputs) if features is not None else _blip_features(self, inputs)

    def save_pretrained(self, folder: Any) -> None:
        """Write the whole model."""
        model: Any = self.whole[0]
        model.save_pretrained(folder)


def _queries(tower: Any, pixel_values: Any) -> Tensor:
    """What the queries of BLIP-2 find in images. (n, queries, channels)."""
    queries = tower.query_tokens.expand(len(pixel_values), -1, -1)
    seen = tower.vision_model(pixel_values).last_hidden_state
    found: Tensor = tower.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    return found


def _blip_features(tower: Any, inputs: Mapping[str, Tensor]) -> Any:
    if tower.reads == "text":
        return tower.text_proj(tower.text_encoder(**inputs).last_hidden_state[:, 0])
    output = tower.vision_model(**inputs)
    return tower.vision_proj(output.last_hidden_state[:, 0]) if hasattr(tower, "vision_proj") else output.pooler_output


def _require_tower(tower: Tower, wanted: str, reference: str) -> None:
    """Texts need more than an encoder that also looks at the image, which BLIP's other classes have."""
    projected = hasattr(tower.whole[0], f"get_{tower.reads}_features") or hasattr(tower, "text_proj")
    if [*tower.children()] and (tower.reads == "image" or projected):
        return
    raise BackboneError(
        f"{reference} asks for {wanted}, and {type(tower.whole[0]).__name__} gives no features of a {tower.reads} "
        "alone.",
        do="Leave ?input= out for features of images, or take a checkpoint for retrieval, which has both towers.",
    )


def _image(tower: Tower, checkpoint: Checkpoint, preprocess: Preprocessing | None, **about: Any) -> TorchBackbone:
    own = replace(checkpoint, config=checkpoint.config.vision_config)
    return TorchBackbone(tower, preprocessing=preprocess or processor_of(own), **about)


def _text(tower: Tower, checkpoint: Checkpoint, _preprocess: Preprocessing | None, **about: Any) -> TorchBackbone:
    config = checkpoint.config.text_config
    tokens = tokens_of(replace(checkpoint, config=config))
    tokens.tokenizer.model_input_names = ["input_ids", "attention_mask"]
    padded = config.model_type.startswith("siglip")  # trained on padding, which it reads as it does words
    return SequenceBackbone(
        tower,
        preprocessing=tokens,
        modality="text",
        samples=SAMPLES,
        prefix_tokens=tokens.prefix_tokens,
        padding={"input_ids": tokens.tokenizer.pad_token_id or 0},
        mask=None if padded else "attention_mask",
        pad_to=config.max_position_embeddings if padded else None,
        raw=bag_of_words,
        **about,
    )


def _without_input(options: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name != "input"}
