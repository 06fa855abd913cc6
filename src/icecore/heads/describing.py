"""torch.nn layers as JSON, and back: `{"type": "Linear", "args": {...}}`, a Sequential with its `layers`."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from icecore.errors import HeadError

# Layers whose constructor arguments can be read from attributes of the same names.
_DENSE = {
    "Linear",
    "Identity",
    "Flatten",
    "BatchNorm1d",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "Dropout",
    "AlphaDropout",
}
_RECTIFIERS = {"ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Hardswish", "GLU"}
_SQUASHES = {"Tanh", "Hardtanh", "Sigmoid", "Hardsigmoid", "Softsign", "Softplus", "LogSigmoid", "LogSoftmax"}
KNOWN = frozenset(_DENSE | _RECTIFIERS | _SQUASHES)


def describe(module: nn.Module) -> dict[str, Any]:
    """The JSON description. Raises HeadError for a module that is not one of torch's own layers.

    Example:
        >>> describe(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))["layers"][1]
        {'type': 'ReLU', 'args': {'inplace': False}}
    """
    if type(module) is nn.Sequential:
        return {"type": "Sequential", "layers": [describe(layer) for layer in module]}
    name = type(module).__name__
    if name not in KNOWN or type(module) is not getattr(nn, name) or _has_hooks(module):
        raise HeadError(
            f"The layer {name} cannot be written down as JSON.",
            expected="A head of torch layers is saved when it is an nn.Sequential of torch's own layers.",
            do="Give it as 'torch:your_module:your_factory', a function (n_features, n_classes) that builds it; "
            "it can be used in memory as it is.",
        )
    return {"type": name, "args": _arguments(module)}


def build(description: dict[str, Any]) -> nn.Module:
    """The module, with weights as torch draws them. Raises HeadError for a type that is not known."""
    name = description["type"]
    if name == "Sequential":
        return nn.Sequential(*(build(layer) for layer in description["layers"]))
    if name not in KNOWN:
        raise HeadError(
            f"The saved head has a layer of type {name!r}.", expected=f"Known are {', '.join(sorted(KNOWN))}."
        )
    layer: nn.Module = getattr(nn, name)(**description["args"])
    return layer


def _arguments(module: nn.Module) -> dict[str, Any]:
    names = [name for name in inspect.signature(type(module)).parameters if name not in {"device", "dtype"}]
    return {name: _json(getattr(module, name)) for name in names if hasattr(module, name)}


def _json(value: Any) -> Any:
    """`bias` is an argument that says whether there is one, and an attribute that is one."""
    if value is None or isinstance(value, torch.Tensor):
        return value is not None
    return list(value) if isinstance(value, tuple) else value


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)  # noqa: SLF001  # torch has no public way to ask
