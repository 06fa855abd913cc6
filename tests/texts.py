"""Tiny, seeded text networks of every family as Transformers folders, each with a tokenizer of whole words."""

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from icecore.backbones import extras

WORDS = (
    *("my", "card", "is", "lost", "the", "rate", "of", "exchange", "today", "where", "refund", "a", "late", "i"),
    *("please", "help", "transfer", "money", "abroad", "when", "will", "it", "come", "back", "again", "one", "two"),
    *("three", "four", "five", "six", "seven", "eight", "nine", "ten"),
)
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
LONGEST = 24
_PIECES = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
FRAMES = {"both": ("[CLS]", "[SEP]"), "start": ("[CLS]", None), "end": (None, "[SEP]"), "none": (None, None)}
_SMALL = {"vocab_size": len(WORDS) + len(SPECIAL), "pad_token_id": 0}
_BERT = _SMALL | {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
_DISTIL = _SMALL | {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 40}
_T5 = _SMALL | {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 3, "num_heads": 2}
_GPT = {"vocab_size": _SMALL["vocab_size"], "n_embd": 32, "n_layer": 3, "n_head": 2, "n_positions": 40}
_BART = _SMALL | {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "max_position_embeddings": 40,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": 2,
}
_XLNET = {"vocab_size": _SMALL["vocab_size"], "d_model": 32, "n_layer": 3, "n_head": 2, "d_inner": 64}
_LLAMA = _BERT | {"num_key_value_heads": 1, "pad_token_id": None}
FAMILIES: dict[str, tuple[str, str, str, Mapping[str, Any]]] = {
    "bert": ("Bert", "Model", "both", _BERT),
    "bert-words": ("Bert", "ForMaskedLM", "both", _BERT),
    "bert-classes": ("Bert", "ForSequenceClassification", "both", _BERT | {"num_labels": 3}),
    "roberta": ("Roberta", "Model", "both", _BERT | {"max_position_embeddings": 41}),
    "distilbert": ("DistilBert", "Model", "both", _DISTIL),
    "distilbert-classes": ("DistilBert", "ForSequenceClassification", "both", _DISTIL | {"num_labels": 3}),
    "t5": ("T5", "ForConditionalGeneration", "end", _T5),
    "t5-pieces": ("T5", "EncoderModel", "end", _T5 | {"vocab_size": 120}),
    "gpt2": ("GPT2", "LMHeadModel", "none", _GPT),
    "gpt2-classes": ("GPT2", "ForSequenceClassification", "none", _GPT | {"num_labels": 3}),
    "llama": ("Llama", "ForCausalLM", "start", _LLAMA),
}
# Whose positions or layers cross any cut in ways of their own.
CROSSING: dict[str, tuple[str, str, str, Mapping[str, Any]]] = {
    "albert": ("Albert", "Model", "both", _BERT | {"embedding_size": 16}),
    "deberta": (
        *("DebertaV2", "Model", "both"),
        _BERT
        | {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
        | {"norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False},
    ),
    "mpnet": ("MPNet", "Model", "both", _BERT | {"max_position_embeddings": 41}),
}
# Whose class is none of the encoder's, or whose layers have the tokens first.
OTHERS: dict[str, tuple[str, str, str, Mapping[str, Any]]] = {
    "bart": ("Bart", "ForConditionalGeneration", "both", _BART),
    "xlnet": ("XLNet", "LMHeadModel", "both", _XLNET),
}


def write_network(name: str, folder: Path) -> Path:
    """A network of a family; `sentence` is a BERT as a folder of sentence-transformers."""
    transformers = extras.require("transformers", "hf")
    transformers.utils.logging.disable_progress_bar()
    family, kind, frame, config = (FAMILIES | CROSSING | OTHERS)["bert-words" if name == "sentence" else name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = getattr(transformers, f"{family}{kind}")(getattr(transformers, f"{family}Config")(**config))
        for value in module.parameters():  # as they begin, networks are too near to a constant
            value.data.normal_(0, 0.2)
    module.save_pretrained(folder)
    _write_tokenizer(folder, *FRAMES[frame], pieces=name.endswith("-pieces"))
    if name == "sentence":
        write_steps(folder, [("Pooling", {"pooling_mode_mean_tokens": True}), ("Normalize", {})])
    return folder


def write_steps(folder: Path, steps: list[tuple[str, dict[str, Any]]]) -> None:
    """`modules.json` and the configurations of the steps, as sentence-transformers writes them."""
    kinds = ["Transformer", *(kind for kind, _ in steps)]
    paths = ["", *(f"{number}_{kind}" for number, (kind, _) in enumerate(steps, 1))]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(listed), "utf-8")
    for path, (_, config) in zip(paths[1:], steps, strict=True):
        (folder / path).mkdir(exist_ok=True)
        (folder / path / "config.json").write_text(json.dumps(config), "utf-8")


def _unigram() -> dict[str, Any]:
    """Some whole words, beginnings of two letters, and letters."""
    starts = dict.fromkeys(f"\u2581{word[:2]}" for word in WORDS)
    known = {**dict.fromkeys(SPECIAL, 0.0), **dict.fromkeys(starts, -3.0)}
    known |= {f"\u2581{word}": -2.0 for word in WORDS[:12]} | dict.fromkeys([*string.ascii_lowercase, "\u2581"], -5.0)
    return {"type": "Unigram", "unk_id": SPECIAL.index("[UNK]"), "vocab": list(known.items()), "byte_fallback": False}


def _write_tokenizer(folder: Path, start: str | None, end: str | None, *, pieces: bool) -> None:
    """Of whole words; or of pieces with their probabilities, as SentencePiece's, where most words are several."""
    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    around = [{"SpecialToken": {"id": token, "type_id": 0}} if token else None for token in (start, end)]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    template = [piece for piece in (around[0], text, around[1]) if piece]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
            for i, token in enumerate(SPECIAL)
        ],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": _PIECES if pieces else {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing", "single": template, "pair": template,
            "special_tokens": {t: {"id": t, "ids": [vocabulary[t]], "tokens": [t]} for t in (start, end) if t},
        },
        "decoder": _PIECES if pieces else None,
        "model": _unigram() if pieces else {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }  # fmt: skip
    names = {"cls_token": start, "sep_token": end, "unk_token": "[UNK]", "pad_token": "[PAD]" if end else None}
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LONGEST}
    told |= {name: token for name, token in names.items() if token}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
