"""What layers a network has, read from the traces of its ways."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from icecore.backbones.axes import axes_of, image_size, prefix_tokens, special_tokens
from icecore.backbones.base import INPUT, LAST, LOGITS, Layer
from icecore.backbones.blocks import blocks_of
from icecore.backbones.trace import PROBE_ITEMS
from icecore.backbones.way import Way
from icecore.errors import LayerError


def describe(module: nn.Module, ways: Sequence[Way], item: tuple[int, ...]) -> dict[str, Layer]:
    """Every layer that can be taken, in the order in which they finish: `input`, modules, `last`, `logits`.

    Args:
        module: the network.
        ways: its own forward first.
        item: shape of one prepared input.
    """
    own, special, size = ways[0], special_tokens(module), image_size(item)
    calls = own.trace.calls
    taken = sorted((n for n, call in calls.items() if n and call.takeable), key=lambda n: calls[n].finished)
    blocks = blocks_of(module, set(taken))
    order = {name: i for i, name in enumerate(sorted(blocks, key=taken.index))}

    def layer(name: str, shape: tuple[int, ...], part: nn.Module | None = None) -> Layer:
        axes = axes_of(shape, part, size, channels_last=getattr(module, "channels_last", None))
        tokens = prefix_tokens(shape[0], special, size) if axes[:1] == ("tokens",) else 0
        return Layer(name, shape, axes, order.get(name), tokens)

    inner = [layer(name, (calls[name].output or ())[1:], module.get_submodule(name)) for name in taken]
    ends = [layer(name, shape) for name, shape in _ends(ways)]
    reserved = {INPUT, *(end.name for end in ends)}
    return {each.name: each for each in [layer(INPUT, item), *(x for x in inner if x.name not in reserved), *ends]}


def _ends(ways: Sequence[Way]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """`last` and `logits` with their shapes, so far as their first axis counts the items.

    One number an item, which networks for a single quantity give, is a vector of one.
    """
    results = {way.result: way.trace.result for way in ways}
    if ways[0].classifier is not None:
        results[LAST] = ways[0].trace.calls[ways[0].classifier].input or ()
    for name in (LAST, LOGITS):
        shape = results.get(name, ())
        if shape[:1] == (PROBE_ITEMS,):
            yield name, shape[1:] or (1,)


def no_such_layer(backbone: Any, name: str) -> LayerError:
    """The error for a layer that is not there, with the nearest names."""
    known = list(backbone.layers())
    close = difflib.get_close_matches(name, known, n=3)
    return LayerError(
        f"{backbone.id} has no layer {name!r} that can be taken.",
        expected=f"It has {len(known)}: last, logits, all, block numbers from the end (-1), and module paths.",
        do=f"Did you mean {', '.join(close)}?" if close else f"`icecore inspect {backbone.id}` lists them.",
    )
