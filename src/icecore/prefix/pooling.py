"""Pooling: from an activation to one vector an item, by the axes that its layer declares."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from icecore.backbones import Layer
from icecore.errors import LayerError, UsageError

POOLINGS = ("mean", "max", "gem", "cls", "last-token", "grid", "flatten", "none", "thumbnail")
BOUNDARY = "boundary"  # what a cut keeps of a layer: everything, as it is; no name for users
ALIASES = {"avg": "mean", "average": "mean"}
THUMBNAIL, GRID = 16, 2
_GEM_P, _GEM_EPS = 3.0, 1e-6


def canonical_pooling(layer: Layer, pooling: str) -> str:
    """The one name of a pooling on a layer: aliases resolved, `none` where there is nothing to pool.

    Raises UsageError for an unknown name, LayerError where the layer has not the axes for it.
    """
    name = ALIASES.get(pooling, pooling)
    if name not in POOLINGS:
        raise UsageError(f"There is no pooling {pooling!r}.", expected=f"Known are {', '.join(POOLINGS)}.")
    if layer.axes == ("channels",):
        return "none"
    if name in ("cls", "last-token") and layer.axes[0] != "tokens":
        raise LayerError(
            f"The layer {layer.name} has the axes {', '.join(layer.axes)}, so pooling {name!r} has no token to take.",
            do="Use mean, max, gem or flatten.",
        )
    if name == "cls" and not layer.prefix_tokens:
        raise LayerError(f"The layer {layer.name} has no class token.", do="Use mean, max, gem or last-token.")
    if name in ("mean", "max", "gem", "grid") and "channels" not in layer.axes:
        raise LayerError(
            f"It is not known which axis of the layer {layer.name}, of shape {layer.shape}, holds the channels.",
            do="Use flatten or none.",
        )
    if name == "thumbnail" and not {"height", "width"} <= set(layer.axes):
        raise LayerError(f"The layer {layer.name} is no image: its axes are {', '.join(layer.axes)}.", do="Use mean.")
    return name


def pool(layer: Layer, value: Tensor, pooling: str) -> Tensor:
    """Pool a batch of activations.

    Args:
        layer: says what the axes are.
        value: (n, *layer.shape), any float type.
        pooling: a canonical name. `mean`, `max`, `gem` go over height and width, frames, or those tokens that are
            places; `grid` takes the mean of each quarter of an image (each fourth part of frames or tokens);
            `cls` takes the first token, `last-token` the last; `flatten` keeps all numbers in one vector,
            `none` their shape; `thumbnail` averages an image to 16 x 16 and flattens it.

    Returns:
        float32, (n, channels) when pooled, (n, 4 channels) for `grid`, (n, product) when flattened, (n, ...) for
        `none`.

    `gem` is generalised-mean pooling with p = 3 (Radenović et al. 2018, https://arxiv.org/abs/1711.02512).

    Example:
        >>> import torch
        >>> layer = Layer("x", (2, 4, 4), ("channels", "height", "width"))
        >>> pool(layer, torch.ones(3, 2, 4, 4), "mean").shape
        torch.Size([3, 2])
    """
    return _POOLS[pooling](layer, value.float())


def _places(layer: Layer, value: Tensor) -> Tensor:
    """(n, channels, places): what there is to pool over."""
    axis = layer.axes.index("channels") + 1
    flat = value.movedim(axis, 1).flatten(2)
    return flat[:, :, layer.prefix_tokens :] if layer.axes[0] == "tokens" else flat


def _mean(layer: Layer, value: Tensor) -> Tensor:
    return _places(layer, value).mean(2)


def _max(layer: Layer, value: Tensor) -> Tensor:
    return _places(layer, value).amax(2)


def _gem(layer: Layer, value: Tensor) -> Tensor:
    return _places(layer, value).clamp(min=_GEM_EPS).pow(_GEM_P).mean(2).pow(1 / _GEM_P)


def _grid(layer: Layer, value: Tensor) -> Tensor:
    if {"height", "width"} <= set(layer.axes):
        return F.adaptive_avg_pool2d(value.movedim(layer.axes.index("channels") + 1, 1), GRID).flatten(1)
    return F.adaptive_avg_pool1d(_places(layer, value), GRID * GRID).flatten(1)


def _thumbnail(layer: Layer, value: Tensor) -> Tensor:
    image = value if layer.axes[0] == "channels" else value.movedim(-1, 1)
    return F.adaptive_avg_pool2d(image, THUMBNAIL).flatten(1)


_POOLS: dict[str, Callable[[Layer, Tensor], Tensor]] = {
    "mean": _mean,
    "max": _max,
    "gem": _gem,
    "grid": _grid,
    "cls": lambda _layer, value: value[:, 0],
    "last-token": lambda _layer, value: value[:, -1],
    "flatten": lambda _layer, value: value.flatten(1),
    "none": lambda _layer, value: value,
    BOUNDARY: lambda _layer, value: value,
    "thumbnail": _thumbnail,
}
