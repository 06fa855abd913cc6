"""Write down every call of every module on the way to a layer: when it started and finished, and what it gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from icecore.backbones import LAST
from icecore.backbones.hooks import hooks
from icecore.backbones.way import Way
from icecore.prefix.trees import FEW, MORE, Shape, Tree, ghosts_of, item_shapes, rows_of

Spot: TypeAlias = tuple[str, int]  # a module's path, and which of its calls

UNFINISHED = 1 << 62


@dataclass(eq=False, slots=True)
class Call:
    """One call of one module. Times count events, not seconds.

    Attributes:
        path: of the module.
        number: which of the module's calls it is, from 1.
        parent: the call that it happened in.
        started: when.
        finished: when; `UNFINISHED` where the layer was there before.
        output: what it gave, taken apart: of real numbers the shape alone, as a tensor on `meta`.
    """

    path: str
    number: int
    parent: Call | None
    started: int
    finished: int = UNFINISHED
    output: Tree | None = None


def record(module: nn.Module, way: Way, layer: str, inputs: Any) -> tuple[list[Call], Tensor]:
    """Run a way as far as a layer. Returns the calls in the order in which they started, and the layer's activation."""
    calls: list[Call] = []
    running: list[Call] = []
    counts: Counter[str] = Counter()
    taken: list[Tensor] = []

    def before(path: str, _args: Any, _kwargs: Any) -> None:
        counts[path] += 1
        running.append(Call(path, counts[path], running[-1] if running else None, _now()))
        calls.append(running[-1])

    def after(_path: str, _module: nn.Module, output: Any) -> None:
        call = running.pop()
        tree = Tree.of(output)
        call.finished, call.output = _now(), Tree(tuple(map(_outline, tree.leaves)), tree.structure)

    clock = iter(range(UNFINISHED))

    def _now() -> int:
        return next(clock)

    module.eval()  # whoever trains the module may have left it in training mode
    with torch.no_grad(), hooks(module, before, after):
        way.run(module, inputs, [layer], lambda _name, value: taken.append(value.clone()))
    beyond = way.classifier if layer == LAST else None
    return [call for call in calls if call.path != beyond], taken[0]


class Outlines:
    """What every call on a way gives, as ghosts, for inputs of any shapes: seen by two small passes for each.

    Args:
        module: the network, whole.
        way: how it is run.
        layer: how far.
        spots: calls that are wanted; all where None.
    """

    def __init__(self, module: nn.Module, way: Way, layer: str, spots: Collection[Spot] | None = None) -> None:
        self._pass, self._spots = partial(record, module, way, layer), spots
        self._seen: dict[tuple[Shape, ...], dict[Spot, Tree]] = {}

    def __call__(self, inputs: Any) -> Mapping[Spot, Tree]:
        """The ghosts for arguments of the forward."""
        shapes = item_shapes(inputs)
        if shapes not in self._seen:
            few, more = (self._pass(rows_of(inputs, n))[0] for n in (FEW, MORE))
            self.learn(inputs, dict(_ghosts(few, more)))
        return self._seen[shapes]

    def learn(self, inputs: Any, ghosts: Mapping[Spot, Tree]) -> None:
        """Keep the wanted ones only: nearly every batch of sounds has another length, which would fill the memory."""
        wanted = ghosts.keys() if self._spots is None else ghosts.keys() & self._spots
        self._seen[item_shapes(inputs)] = {spot: ghosts[spot] for spot in wanted}


def _ghosts(few: Sequence[Call], more: Sequence[Call]) -> Iterator[tuple[Spot, Tree]]:
    for one, other in zip(few, more, strict=True):
        if one.output is not None and other.output is not None:
            yield (one.path, one.number), ghosts_of(one.output, other.output)


def _outline(leaf: Any) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    return torch.empty_like(leaf, device="meta") if leaf.is_floating_point() else leaf.clone()
