"""Tiny, seeded networks with a tower for images and one for texts, as Transformers folders with their processors."""

import string
from pathlib import Path
from typing import Any

import torch

from icecore.backbones import extras

WORDS = (
    "a",
    "photo",
    "of",
    "the",
    "red",
    "green",
    "blue",
    "square",
    "cat",
    "dog",
    "one",
    "two",
    "three",
    "four",
    "five",
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LETTERS = [letter + end for end in ("", "</w>") for letter in string.ascii_lowercase]
_PIECES = {piece: number for number, piece in enumerate((*_LETTERS, "<|startoftext|>", "<|endoftext|>"))}
_TOWER = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
_TEXT = _TOWER | {"vocab_size": 64, "max_position_embeddings": 16, "pad_token_id": 0}
_CLIP = _TEXT | {"max_position_embeddings": 40, "bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
_IMAGE = _TOWER | {"image_size": 32, "patch_size": 8}
_BLIP2 = {
    "qformer_config": _TOWER | {"encoder_hidden_size": 32, "vocab_size": 64},
    "text_config": {"model_type": "opt", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                    "ffn_dim": 32, "vocab_size": 64, "max_position_embeddings": 16, "word_embed_proj_dim": 32},
    "num_query_tokens": 4, "image_text_hidden_size": 16,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("CLIPModel", {"text_config": _CLIP, "projection_dim": 24}),
    "siglip": ("SiglipModel", {"text_config": _TEXT | {"projection_size": 32}}),
    "blip": ("BlipModel", {"text_config": _TEXT | {"encoder_hidden_size": 32}, "projection_dim": 24}),
    "blip-retrieval": (
        "BlipForImageTextRetrieval",
        {"text_config": _TEXT | {"encoder_hidden_size": 32}, "image_text_hidden_size": 24},
    ),
    "blip2": ("Blip2ForConditionalGeneration", _BLIP2),
    "blip2-base": ("Blip2Model", _BLIP2),
    "blip2-retrieval": ("Blip2ForImageTextRetrieval", _BLIP2),
    "blip-captions": ("BlipForConditionalGeneration", {"text_config": _TEXT | {"encoder_hidden_size": 32}}),
}


def write_towers(name: str, folder: Path) -> Path:
    """A network of a family, with its tokenizer and its image processor."""
    transformers = extras.require("transformers", "hf")
    transformers.utils.logging.disable_progress_bar()
    kind, config = FAMILIES[name]
    cls = getattr(transformers, kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = cls(cls.config_class(vision_config=_IMAGE, **config))
        for value in module.parameters():  # as they begin, networks are too near to a constant
            value.data.normal_(0, 0.2)
    module.save_pretrained(folder)
    tokenizer(name).save_pretrained(folder)
    family = {"clip": "CLIP", "siglip": "Siglip"}.get(name, "Blip")
    side = {"height": 32, "width": 32}
    sizes = {"size": {"shortest_edge": 32}, "crop_size": side} if family == "CLIP" else {"size": side}
    getattr(transformers, f"{family}ImageProcessor")(**sizes).save_pretrained(folder)
    return folder


def tokenizer(name: str) -> Any:
    """Letters with CLIP's own tokenizer, whole words with BERT's."""
    transformers = extras.require("transformers", "hf")
    if name == "clip":
        return transformers.CLIPTokenizer(vocab=_PIECES, merges=[], model_max_length=40)
    vocabulary = {word: number for number, word in enumerate((*_SPECIAL, *WORDS))}
    return transformers.BertTokenizer(vocab=vocabulary, model_max_length=16)
