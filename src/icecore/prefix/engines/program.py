"""A pass of a prefix as a graph: exported once, from which other engines make what they run.

The network's own forward is traced by `torch.export`, with the poolings of activations that need no more than the
activation itself. What nobody asked for falls away, since nothing of it reaches an output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones import INPUT
from icecore.prefix.columns import Column
from icecore.prefix.pooling import pool


@dataclass(frozen=True)
class Graph:
    """An exported pass.

    Attributes:
        exported: takes the inputs in the order of `names`, and gives the outputs as a tuple.
        names: of the forward's arguments; empty where it takes a single tensor.
        outputs: what each output is: a column that is pooled already, or the name of a layer whose activation it is.
        sizes: for each input the sizes of those axes that may not vary.
    """

    exported: torch.export.ExportedProgram
    names: tuple[str, ...]
    outputs: tuple[Column | str, ...]
    sizes: tuple[Mapping[int, int], ...]

    def fits(self, inputs: Sequence[Tensor]) -> bool:
        """Whether inputs have the sizes that the graph was made for."""
        return all(
            value.shape[axis] == size
            for value, sizes in zip(inputs, self.sizes, strict=True)
            for axis, size in sizes.items()
        )


def export(backbone: Any, columns: Sequence[Column]) -> Graph:
    """Export the pass of some columns, for any number of items of any length.

    Args:
        backbone: a `TorchBackbone` or a `Prefix`; it is traced as it runs now, in its precision.
        columns: what is wanted; the layer `input` needs no network.

    Raises whatever torch raises where the network cannot be exported.
    """
    shorter, longer = backbone.probes()[0], backbone.probes()[-1]
    with torch.no_grad(), backbone.running(longer) as (module, inputs):
        names = tuple(inputs) if isinstance(inputs, Mapping) else ()
        program = _Program(backbone, module, columns, names).eval()
        examples, others = flat(inputs, names), flat(shorter, names)
        free = [_free_axes(a, b) for a, b in zip(others, examples, strict=True)]
        exported = torch.export.export(program, tuple(examples), dynamic_shapes=(tuple(free),), strict=False)
    fixed = [{i: n for i, n in enumerate(value.shape) if i not in own} for value, own in zip(examples, free, strict=True)]
    return Graph(exported, names, tuple(program.outputs), tuple(fixed))


class _Program(nn.Module):
    def __init__(self, backbone: Any, module: nn.Module, columns: Sequence[Column], names: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self._backbone, self._names = backbone, names
        self._poolings: dict[str, list[str]] = defaultdict(list)
        for column in columns:
            if column.layer != INPUT:
                self._poolings[column.layer].append(column.pooling)
        self.outputs: list[Column | str] = []
        for layer, poolings in self._poolings.items():
            self.outputs += [Column(layer, p) for p in poolings] if backbone.whole(layer) else [layer]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        stacked: Any = dict(zip(self._names, inputs, strict=True)) if self._names else inputs[0]
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


def flat(stacked: Any, names: Sequence[str]) -> list[Tensor]:
    """What a forward takes, as a list."""
    return [stacked[name] for name in names] if names else [stacked]


def _free_axes(shorter: Tensor, longer: Tensor) -> dict[int, Any]:
    """The axis of the items, and those that follow the length."""
    sizes = enumerate(zip(shorter.shape, longer.shape, strict=True))
    return {axis: torch.export.Dim.DYNAMIC for axis, (a, b) in sizes if axis == 0 or a != b}
