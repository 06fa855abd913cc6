"""What the modules at some places give while a network runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from icecore.backbones import INPUT
from icecore.backbones.device import whole_floats
from icecore.backbones.hooks import hooks
from icecore.backbones.way import Enough, Way
from icecore.errors import BackboneError
from icecore.prefix.suffix import Place
from icecore.prefix.trees import cloned


def outputs_at(way: Way, module: nn.Module, places: Sequence[Place], inputs: Any) -> dict[str, Any]:
    """Run a network as far as the last of some places. Returns what the modules there gave, by their paths."""
    wanted = {place.at for place in places} - {INPUT}
    if not wanted:
        return {}
    module.eval()
    with torch.no_grad(), whole_floats(), taking(module, places, leave=True) as found, suppress(Enough):
        way.forward(module, inputs)
    if wanted > found.keys():
        raise BackboneError(
            f"The layers {', '.join(wanted - found.keys())} did not run on this input as they did on the probe input.",
            expected="A network that runs the same modules for every input.",
        )
    return found


@contextmanager
def taking(module: nn.Module, places: Sequence[Place], *, leave: bool = False) -> Iterator[dict[str, Any]]:
    """Take what modules give at some places while a network runs; `leave` the forward after the last of them."""
    wanted = {place.at: place.number for place in places if place.at != INPUT}
    found: dict[str, Any] = {}
    calls = dict.fromkeys(wanted, 0)

    def after(path: str, _module: nn.Module, output: Any) -> None:
        calls[path] += 1
        if calls[path] == wanted[path]:
            last = leave and len(found) + 1 == len(wanted)
            found[path] = output if last else cloned(output)  # the next module may overwrite it
        if leave and len(found) == len(wanted):
            raise Enough

    with hooks(module, lambda *_: None, after, only=set(wanted)):
        yield found
