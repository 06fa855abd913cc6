"""A pass of a prefix as a graph, from which other engines make what they run.

`Program` is the network's own forward, left at its end only, with the poolings of those activations that need no more
than the activation itself. It is traced, by TorchScript (quick; sizes that Python code computes become constants) or by
`torch.export` (sound for any number of items and any length, several times as slow). What nobody asked for falls away,
since nothing of it reaches an output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones import INPUT
from icecore.prefix.columns import Column
from icecore.prefix.pooling import pool


class Program(nn.Module):
    """From the inputs of a forward, in the order of `names`, to `outputs`.

    Args:
        backbone: a `TorchBackbone` or a `Prefix`.
        columns: what is wanted; the layer `input` needs no network.

    Attributes:
        names: of the forward's arguments; empty where it takes a single tensor.
        outputs: what each output is: a column that is pooled already, or the name of a layer whose activation it is.
        examples: inputs to trace it with.
        free: for each input its axes that may be of any size: the items, and those that follow the length.
    """

    def __init__(self, backbone: Any, columns: Sequence[Column]) -> None:
        super().__init__()
        shorter, longer = backbone.probes()[0], backbone.probes()[-1]
        with torch.no_grad(), backbone.running(longer) as (module, inputs):
            self.module = module
        self.names = tuple(inputs) if isinstance(inputs, Mapping) else ()
        self.examples, self.shorter = flat(inputs, self.names), flat(shorter, self.names)
        self.free = [_free_axes(a, b) for a, b in zip(self.shorter, self.examples, strict=True)]
        self._backbone = backbone
        self._poolings: dict[str, list[str]] = defaultdict(list)
        for column in columns:
            if column.layer != INPUT:
                self._poolings[column.layer].append(column.pooling)
        self.outputs: list[Column | str] = []
        for layer, poolings in self._poolings.items():
            self.outputs += [Column(layer, p) for p in poolings] if backbone.whole(layer) else [layer]
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs, float32."""
        stacked: Any = dict(zip(self.names, inputs, strict=True)) if self.names else inputs[0]
        known = self._backbone.layers()
        found: dict[Column | str, Tensor] = {}

        def take(name: str, value: Tensor) -> None:
            activation = (value[:, None] if value.dim() == 1 else value).float().clone()  # it may be overwritten
            found[name] = activation
            if self._backbone.whole(name):
                ways = self._poolings[name]
                found.update({Column(name, pooling): pool(known[name], activation, pooling) for pooling in ways})

        self._backbone.whole_pass(self.module, stacked, list(self._poolings), take)
        return tuple(found[output] for output in self.outputs)

    def fits(self, inputs: Sequence[Tensor]) -> bool:
        """Whether inputs have the sizes that it was traced with, where these may not vary."""
        return all(
            value.dim() == example.dim() and all(i in free or a == b for i, (a, b) in enumerate(_sizes(value, example)))
            for value, example, free in zip(inputs, self.examples, self.free, strict=True)
        )

    @property
    def by_length(self) -> bool:
        """Whether sizes follow the length of the inputs."""
        return any(len(free) > 1 for free in self.free)

    def traced(self) -> torch.jit.ScriptModule:
        """Traced by TorchScript. Raises what it raises."""
        with torch.no_grad():
            found: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
                self, tuple(self.examples), check_trace=False, strict=False
            )
        return found

    def exported(self) -> torch.export.ExportedProgram:
        """Exported by torch. Raises what it raises, and where a size that may vary becomes a constant."""
        free = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in self.free)
        with torch.no_grad():
            return torch.export.export(self, tuple(self.examples), dynamic_shapes=(free,), strict=False)


def flat(stacked: Any, names: Sequence[str]) -> list[Tensor]:
    """What a forward takes, as a list."""
    return [stacked[name] for name in names] if names else [stacked]


def _free_axes(shorter: Tensor, longer: Tensor) -> set[int]:
    return {axis for axis, (a, b) in enumerate(_sizes(shorter, longer)) if axis == 0 or a != b}


def _sizes(one: Tensor, other: Tensor) -> list[tuple[int, int]]:
    return list(zip(one.shape, other.shape, strict=True))
