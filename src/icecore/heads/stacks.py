"""A stack of dense layers as text: `256,relu,dropout0.3`, one word a layer."""

from __future__ import annotations

import re
from typing import Any

from icecore.errors import HeadError

DEFAULT = "dropout0.3,256,relu,dropout0.5"
ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "tanh": "Tanh", "silu": "SiLU"}
NORMS = {"batchnorm": "BatchNorm1d", "layernorm": "LayerNorm"}
_DROPOUT = re.compile(r"dropout=?(0?\.\d+|0)")
Description = dict[str, Any]


def words(name: str, text: str) -> list[str]:
    """The words of a stack. Raises HeadError for one that means nothing.

    Example:
        >>> words("mlp", "256, relu, dropout0.3")
        ['256', 'relu', 'dropout0.3']
    """
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if not (_is_width(word) or word in ACTIVATIONS or word in NORMS or _DROPOUT.fullmatch(word)):
            raise HeadError(
                f"Head {name!r} has no layer {word!r}.",
                expected=f"A layer is a width such as 256, one of {', '.join([*ACTIVATIONS, *NORMS])}, or dropout0.3.",
                do=f"Write for instance {name}:256,relu,dropout0.3.",
            )
    return found


def describe(stack: list[str], n_features: int, n_classes: int) -> Description:
    """The layers from n_features to n_classes as `describing` writes them; a width without activation gets ReLU."""
    layers: list[Description] = []
    width = n_features
    for word in [*_with_activations(stack), str(n_classes)]:
        layers.append(_layer(word, width))
        width = int(word) if _is_width(word) else width
    return {"type": "Sequential", "layers": layers}


def _layer(word: str, width: int) -> Description:
    if _is_width(word):
        return {"type": "Linear", "args": {"in_features": width, "out_features": int(word)}}
    if word in ACTIVATIONS:
        return {"type": ACTIVATIONS[word], "args": {}}
    if word in NORMS:
        return {"type": NORMS[word], "args": {"num_features" if word == "batchnorm" else "normalized_shape": width}}
    dropout = _DROPOUT.fullmatch(word)
    return {"type": "Dropout", "args": {"p": float(dropout[1]) if dropout else 0.5}}


def _with_activations(stack: list[str]) -> list[str]:
    """Each width's own words, with ReLU after its norm where there is no activation among them."""
    starts = [i for i, word in enumerate(stack) if _is_width(word)]
    out = stack[: starts[0]] if starts else list(stack)
    for start, end in zip(starts, [*starts[1:], len(stack)], strict=True):
        own = stack[start:end]
        if not ACTIVATIONS.keys() & set(own):
            own.insert(2 if len(own) > 1 and own[1] in NORMS else 1, "relu")
        out += own
    return out


def _is_width(word: str) -> bool:
    return word.isdecimal() and int(word) > 0
