"""LoRA: low-rank adapters to train beside the weights of a suffix, which stay as they are (Hu et al. 2021).

Adapted are linear layers, those of GPT-2 too that keep their weight as (in, out), and convolutions without groups and
dilation. `peft` puts the adapters in. What training leaves are two matrices for each layer, in the form in which
`icecore.artifact.changes` adds their product to the weight: loading needs no peft.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from icecore.artifact.changes import A, B
from icecore.backbones.extras import require
from icecore.errors import UsageError
from icecore.prefix import Suffix

ALPHA = 32.0  # the product counts ALPHA / rank, so that one learning rate suits every rank
_NAME = "default"
_TRANSPOSED = ("transformers.pytorch_utils", "Conv1D")  # the linear layer of GPT-2
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Adapters:
    """Adapters in a suffix: from here on they are all of it that can be trained.

    Args:
        suffix: what is changed.
        rank: of the adapters.
        seed: of their first values, with which they change nothing.

    Attributes:
        scale: factor of the products.

    Raises MissingExtraError without peft, UsageError where there is no layer that can be adapted.
    """

    def __init__(self, suffix: Suffix, rank: int, seed: int) -> None:
        paths = _adaptable(suffix)
        if not paths:
            raise UsageError(
                f"Behind {suffix.place.at} there is no linear layer and no plain convolution for LoRA to adapt.",
                do="Unfreeze more, or train the weights themselves: leave out --lora.",
            )
        self.scale = ALPHA / rank
        _inject(suffix.network, paths, rank, seed)
        self._layers: dict[str, Any] = {path: suffix.network.get_submodule(path) for path in paths}
        for layer in self._layers.values():
            # The fast path of torch's encoder layers reads weights past their modules, but not where a hook listens.
            layer.register_forward_hook(lambda *_: None)
            _show_sizes(layer)

    def state(self) -> dict[str, Tensor]:
        """The two matrices of each layer, by the names of `Change`: copies on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._matrices().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take matrices that `state` gave, also of another suffix of the same network."""
        own = self._matrices()
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def _matrices(self) -> dict[str, Tensor]:
        """Views whose product has the shape of the weight, all but its first axis flattened."""
        found: dict[str, Tensor] = {}
        for path, layer in self._layers.items():
            right, left = layer.lora_A[_NAME].weight.flatten(1), layer.lora_B[_NAME].weight.flatten(1)
            if _is_transposed(layer.get_base_layer()):
                right, left = left.T, right.T
            found |= {path + A: right, path + B: left}
        return found


def _show_sizes(layer: Any) -> None:
    """Let an adapted convolution tell its stride and the like, which some networks pad by."""
    base = layer.get_base_layer()
    for name in getattr(base, "__constants__", ()):
        if not hasattr(layer, name):
            setattr(layer, name, getattr(base, name))


def _adaptable(suffix: Suffix) -> list[str]:
    """Paths of the layers after the cut that can be adapted; a weight that two modules share is left alone."""
    named = suffix.network.named_parameters(remove_duplicate=False)
    uses = Counter(id(value) for _, value in named)
    parts = ((path, suffix.network.get_submodule(path)) for path in suffix.modules_after())
    return [path for path, part in parts if _fits(part) and uses[id(part.weight)] == 1]


def _fits(part: Any) -> bool:
    """Subclasses may compute something else, and a weight that is computed from others cannot be added to."""
    if "weight" not in part._parameters:  # noqa: SLF001 - the attribute may be computed
        return False
    if type(part) in _CONVOLUTIONS:
        return part.groups == 1 and set(part.dilation) == {1} and part.padding_mode == "zeros"
    return type(part) is nn.Linear or _is_transposed(part)


def _is_transposed(part: nn.Module) -> bool:
    return (type(part).__module__, type(part).__name__) == _TRANSPOSED


def _inject(network: nn.Module, paths: list[str], rank: int, seed: int) -> None:
    peft = require("peft", "peft")
    config = peft.LoraConfig(r=rank, lora_alpha=ALPHA, target_modules="|".join(map(re.escape, paths)))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # it finds out by itself which weights are transposed, and says so
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(config, network, _NAME)
