"""What each place of the layers adds to a decision: slope times activation, where the head reads the layer itself.

For mean-pooled convolutional layers this is class activation mapping (Zhou et al. 2016) for heads of any kind, and at a
layer below `last`, with the network's own gradients, Grad-CAM (Selvaraju et al. 2017). Contributions of several layers
add up, because all are of one decision. They are measured from the mean of the training items, so that they say why
this is unlike an average item, not why an average item is as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from icecore.backbones import Layer, SequenceBackbone, TorchBackbone
from icecore.explaining.reading import Reading
from icecore.prefix import pool

MAP = {"height", "width"}
_LEAST_SIDE = 2
_FINE = 56


def has_places(layer: Layer) -> bool:
    """Whether a layer is a picture of channels, with more than one place."""
    sides = [size for size, axis in zip(layer.shape, layer.axes, strict=True) if axis in MAP]
    return set(layer.axes) >= MAP and "channels" in layer.axes and min(sides) >= _LEAST_SIDE


def layer_below(reading: Reading, name: str) -> str | None:
    """The last layer with places that is there before a layer; None where there is none, or tokens come after it."""
    found = None
    for layer in reading.backbone.layers().values():
        if layer.name == name:
            return found
        if has_places(layer) and layer.name != "input":
            found = layer.name
        elif layer.axes[:1] == ("tokens",):
            found = None
    return None


def direct(reading: Reading, prepared: Any, code: int) -> np.ndarray:
    """The map (h, w) where all layers that the head reads have places; no gradient goes through the network."""
    kept: dict[str, Tensor] = {}

    def keep(layer: Layer, value: Tensor) -> Tensor:
        kept[layer.name] = value.float().cpu()
        return value.new_zeros(len(value), 1)

    reading.backbone.run([prepared], reading.names, keep)
    leaves = {name: kept[name].clone().requires_grad_() for name in reading.names}
    with torch.enable_grad():
        pooled = [pool(reading.layers[c.layer], leaves[c.layer], c.pooling).flatten(1) for c in reading.columns]
        torch.autograd.backward(reading.slope_score(torch.cat(pooled, 1), code))
    return _summed(reading, leaves, reading.layers)


def through(reading: Reading, prepared: Any, code: int) -> np.ndarray:
    """The map (h, w) with the network's own gradients, where some layer that the head reads has no places of its own.

    Raises RuntimeError where the network cannot be differentiated.
    """
    backbone: TorchBackbone = reading.backbone.at_precision("float32")
    every = backbone.layers()
    below = {name: name if has_places(every[name]) else layer_below(reading, name) for name in reading.names}
    at = {name for name in below.values() if name is not None}
    taken: dict[str, Tensor] = {}
    with torch.enable_grad(), backbone.running(backbone.stack([prepared])) as (module, inputs):
        with leaves_at(module, at) as leaves:
            backbone.whole_pass(module, inputs, reading.names, lambda name, value: taken.update({name: value}))
        pooled = [pool(every[c.layer], _rows(taken[c.layer]), c.pooling).flatten(1) for c in reading.columns]
        torch.autograd.backward(reading.slope_score(torch.cat(pooled, 1), code))
    return _summed(reading, leaves, every)


@contextmanager
def leaves_at(module: torch.nn.Module, names: set[str]) -> Any:
    """What modules of these names give is cut off from what was before, and gets a gradient: `{name: tensor}`."""
    leaves: dict[str, Tensor] = {}

    def listen(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            if not isinstance(output, Tensor):
                raise RuntimeError(f"{name} gives no tensor")  # noqa: TRY004 - it leads to another way, not to the user
            leaves[name] = output.detach().clone().requires_grad_()
            return leaves[name].clone()  # the next module may overwrite it

        return hook

    handles = [module.get_submodule(name).register_forward_hook(listen(name)) for name in names]
    try:
        yield leaves
    finally:
        for handle in handles:
            handle.remove()


def can_go_through(reading: Reading) -> bool:
    """Whether each layer that the head reads has places, or a layer with places below it, in a torch network."""
    if not isinstance(reading.backbone, TorchBackbone) or isinstance(reading.backbone, SequenceBackbone):
        return False
    return all(has_places(layer) or layer_below(reading, name) for name, layer in reading.layers.items())


def _rows(value: Tensor) -> Tensor:
    return (value[:, None] if value.dim() == 1 else value).float()


def _summed(reading: Reading, leaves: Mapping[str, Tensor], layers: Mapping[str, Layer]) -> np.ndarray:
    """Contributions of all layers, each place with its share, brought to one size."""
    total = torch.zeros(1, 1, _FINE, _FINE)
    for name, leaf in leaves.items():
        if leaf.grad is None:
            continue
        added = (leaf.grad * (leaf.detach() - centre_of(reading, layers[name], leaf)))[0]
        axis = layers[name].axes.index("channels")
        own = added.sum(axis).float().cpu()
        share = F.interpolate(own[None, None], size=(_FINE, _FINE), mode="bilinear", align_corners=False)
        total += share * (own.numel() / _FINE**2)
    return np.asarray(total[0, 0])


def centre_of(reading: Reading, layer: Layer, leaf: Tensor) -> Tensor | float:
    """The mean of a layer's channels over training items, where the head reads their mean and it is known."""
    if reading.centre is None:
        return 0.0
    size, start = leaf.shape[layer.axes.index("channels") + 1], 0
    for column in reading.columns:
        width = _width(reading, column.layer, column.pooling)
        if column.layer == layer.name and column.pooling == "mean" and width == size:
            shape = [size if axis == "channels" else 1 for axis in layer.axes]
            return (
                torch.as_tensor(reading.centre[start : start + width], dtype=leaf.dtype).view(1, *shape).to(leaf.device)
            )
        start += width
    return 0.0


def _width(reading: Reading, name: str, pooling: str) -> int:
    """Numbers that a column has; only those that come before a mean need be right."""
    layer = reading.layers[name]
    if pooling in ("mean", "max", "gem", "cls", "last-token"):
        return layer.shape[layer.axes.index("channels")]
    if pooling == "grid":
        return 4 * layer.shape[layer.axes.index("channels")]
    return int(np.prod(layer.shape))
