"""The optimiser: AdamW with a learning rate for each block, rising and then falling along a cosine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from icecore.prefix import blocks
from icecore.training.settings import TrainingSettings
from icecore.training.tunable import Tunable

HEAD, AFTER, BELOW = "head", "after the blocks", "before the blocks"


def optimiser_for(net: Tunable, backbone: Any, settings: TrainingSettings) -> torch.optim.AdamW:
    """A group of parameters for each block, with and without weight decay; the head has a group of its own."""
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    chain = blocks(backbone)
    for name, value in net.named_parameters():
        if value.requires_grad:
            inner = name.removeprefix("suffix.network.")
            block = HEAD if inner == name else _block_of(backbone, inner, chain)
            groups.setdefault((block, value.dim() > 1), []).append(value)
    rates = learning_rates({block for block, _ in groups}, chain, settings)
    return torch.optim.AdamW(
        [
            {
                "params": values,
                "lr": rates[block],
                "weight_decay": settings.weight_decay if decays else 0.0,
                "name": block,
                "peak": rates[block],
            }
            for (block, decays), values in groups.items()
        ]
    )


def learning_rates(names: set[str], chain: Sequence[str], settings: TrainingSettings) -> dict[str, float]:
    """The highest learning rate of each block: it decays with the distance from the last; what follows has the full."""
    depth = {name: len(chain) - 1 - i for i, name in enumerate(chain)}
    lowest = max((depth[name] for name in names if name in depth), default=0)
    full = {HEAD: 0, AFTER: 0, BELOW: lowest + 1}
    return {name: settings.learning_rate * settings.layer_decay ** {**depth, **full}[name] for name in names}


def schedule(optimiser: torch.optim.Optimizer, step: int, steps: int, warmup: float) -> dict[str, float]:
    """Set the learning rates for a step, and return them by block."""
    rise = max(1, round(warmup * steps))
    factor = (step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor
    return {group["name"]: group["lr"] for group in optimiser.param_groups}


def _block_of(backbone: Any, parameter: str, chain: Sequence[str]) -> str:
    """The block that a parameter belongs to, or whether it is defined before or after all of them."""
    own = next((name for name in chain if parameter.startswith(f"{name}.")), None)
    if own is not None or not chain:
        return own or AFTER
    order = [path for path, _ in backbone.module.named_modules()]
    path = parameter.rpartition(".")[0]
    while path not in order:  # inside an adapter
        path = path.rpartition(".")[0]
    return BELOW if order.index(path) < order.index(chain[0]) else AFTER


def moving(average: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], decay: float, step: int) -> None:
    """Move an average towards the weights; early on it follows them closely."""
    keep = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in weights.items():
            if value.is_floating_point():
                average[name].lerp_(value.detach(), 1 - keep)
            else:
                average[name].copy_(value)
