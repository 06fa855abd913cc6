"""`Suffix`: what a network does after a cut, as an ordinary module to train.

The network's own forward runs, as its author wrote it. Modules that finished before the cut answer with a ghost, NaN of
the right shape; the module at the cut answers with the boundary that was stored. So whatever a forward does between its
modules is done, and a value that crosses the cut elsewhere shows as NaN in the result.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones import LAST
from icecore.backbones.way import Way
from icecore.prefix.recording import UNFINISHED, Call, Outlines, Spot
from icecore.prefix.trees import cloned, haunted

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)  # noqa: SLF001 - the only common base


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network is cut: after a call of a module, whose output is the boundary.

    Attributes:
        at: path of the module, or `input` for what the network is given.
        number: which of its calls; 0 for `input`.
        time: when it finished, on the clock of `record`; -1 for `input`.
    """

    at: str
    number: int = 0
    time: int = -1


@dataclass(eq=False, slots=True)
class _Replay:
    """What the replaced forwards of one pass share: the boundary, the ghosts, and how often each module was called."""

    boundary: Any = None
    ghosts: Mapping[Spot, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, eq=False, slots=True)
class _Answering:
    """The forward of a module that answers some of its calls from the replay.

    Attributes:
        replay: holds the answers.
        spot: the call whose answer is the boundary.
        path: of the module.
        own: its own forward.
        skipped: by the numbers of the calls that are answered, how often modules are called inside of them.
    """

    replay: _Replay
    spot: Spot
    path: str
    own: Callable[..., Any]
    skipped: Mapping[int, Counter[str]]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        replay = self.replay
        replay.calls[self.path] += 1
        number = replay.calls[self.path]
        if number not in self.skipped:
            return self.own(*args, **kwargs)
        replay.calls += self.skipped[number]
        return cloned(replay.boundary) if (self.path, number) == self.spot else replay.ghosts[self.path, number]


class Suffix(nn.Module):
    """The part of a network after a cut. Made by `cut`.

    It holds a copy of the network that shares the frozen weights with the original; the weights of modules that run
    after the cut only are its own, and take gradients.

    Args:
        module: the network, frozen.
        way: how it is run.
        layer: what is wanted of it, such as `last`.
        place: where it is cut.
        calls: what `record` saw on the way.
        live: modules before the cut that are run all the same, because what they give does not depend on the data.

    Attributes:
        network: the copy.
        trainable: parameters after the cut, by their paths in the network.
        outlines: ghosts of what runs before the cut.
        equal_lengths: only inputs of one length may share a batch.
        solid: give ghosts memory of their own, for networks that write into what their modules gave.

    Move the network to its device before it is cut: what is shared moves for both.
    """

    def __init__(
        self,
        module: nn.Module,
        way: Way,
        *,
        layer: str,
        place: Place,
        calls: Sequence[Call],
        live: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.place, self.layer, self.equal_lengths, self.solid = place, layer, False, False
        self._spots = {(call.path, call.number) for call in calls if _is_ghost(call, place, live)}
        self._way, self.outlines, self._replay = way, Outlines(module, way, layer, self._spots), _Replay()
        self._tuned = _used_after(module, calls, place, way.classifier if layer == LAST else None)
        self.network = _copied(module, self._tuned)
        self.trainable = {name: value for name, value in self._own().items() if isinstance(value, nn.Parameter)}
        for value in self.trainable.values():
            value.requires_grad = True
        self._haunt(calls)

    def forward(self, boundary: Any, inputs: Any) -> Tensor:
        """From a boundary to the layer.

        Args:
            boundary: what the module at the cut gave for n items; for a cut at `input` it is not used.
            inputs: arguments of the network's forward. Real numbers in them are used for a cut at `input` alone.

        Returns:
            The layer's activation, (n, ...).
        """
        taken: list[Tensor] = []
        first: Tensor = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
        self._replay.boundary = boundary
        outlines = self.outlines(inputs) if self._spots else {}
        ghosts = {spot: haunted(outlines[spot], len(first), first.device) for spot in self._spots}
        if self.solid:
            ghosts, inputs = cloned((ghosts, inputs))
        self._replay.ghosts = ghosts
        self._replay.calls.clear()
        self._way.run(self.network, inputs, [self.layer], lambda _name, value: taken.append(value))
        return taken[0]

    def train(self, mode: bool = True) -> Suffix:
        """Set the mode of the modules after the cut; those before it stay in eval mode."""
        super().train(mode=False)
        self.training = mode
        for path in self._tuned:
            self.network.get_submodule(path).training = mode
        return self

    def norms(self) -> list[nn.Module]:
        """Normalisation layers after the cut."""
        parts = [self.network.get_submodule(path) for path in self._tuned]
        return [part for part in parts if isinstance(part, _NORMS) or _is_called_norm(part)]

    def modules_after(self) -> list[str]:
        """Paths of the modules after the cut, in the order in which the network defines them."""
        return list(self._tuned)

    def state(self) -> dict[str, Tensor]:
        """Weights and buffers of the modules after the cut, by their paths in the network: copies on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._own().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take weights and buffers that `state` gave."""
        own = self._own()
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Suffix:
        """With weights of its own after the cut; whatever is shared with the original stays so."""
        own = set(map(id, self._own().values()))
        shared = [value for value in chain(self.parameters(), self.buffers()) if id(value) not in own]
        memo.update((id(value), value) for value in [*shared, self._way, self.outlines])
        again = memo[id(self)] = Suffix.__new__(Suffix)
        again.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return again

    def _own(self) -> dict[str, Tensor]:
        return _weights_of(self.network, self._tuned)

    def _haunt(self, calls: Sequence[Call]) -> None:
        """Replace the forwards of modules by ones that answer some of their calls from the replay."""
        answered: dict[str, dict[int, Counter[str]]] = defaultdict(dict)
        for (path, number), skipped in _skipped(calls, self._spots).items():
            answered[path][number] = skipped
        at = (self.place.at, self.place.number)
        for path, numbers in answered.items():
            part = self.network.get_submodule(path)
            part.__dict__["forward"] = _Answering(self._replay, at, path, part.forward, numbers)
        for part in self.network.modules():
            if part.__dict__.get("inplace") is True:
                part.__dict__["inplace"] = False


def before(call: Call, place: Place) -> bool:
    """Whether a call was over when the boundary was there, or is the one that gave it."""
    return call.finished <= place.time


def _is_ghost(call: Call, place: Place, live: Collection[str]) -> bool:
    """The outermost calls before the cut, but for those that are run."""
    outermost = call.parent is None or not before(call.parent, place)
    return before(call, place) and outermost and call.path not in live


def _used_after(module: nn.Module, calls: Sequence[Call], place: Place, classifier: str | None) -> list[str]:
    """Paths of the modules whose own weights are used after a cut only, in the order of their definition.

    A module that is never called counts with its nearest ancestor that is: its weights may be used by name.
    """
    started: dict[str, int] = {}
    for call in calls:
        started[call.path] = min(started.get(call.path, UNFINISHED), call.started)
    beyond = {path for path, _ in module.named_modules() if classifier and f"{path}.".startswith(f"{classifier}.")}
    return [
        path
        for path, _ in module.named_modules()
        if path not in beyond and started[_ancestor(path, started)] > place.time
    ]


def _skipped(calls: Sequence[Call], spots: Collection[Spot]) -> dict[Spot, Counter[str]]:
    """How often modules that answer are called inside of calls that are answered, and so do not come to it."""
    found: dict[Spot, Counter[str]] = {spot: Counter() for spot in spots}
    answering = {path for path, _ in spots}
    for call in calls:
        outer = call.parent
        while outer is not None and (outer.path, outer.number) not in found:
            outer = outer.parent
        if outer is not None and call.path in answering:
            found[outer.path, outer.number][call.path] += 1
    return found


def _is_called_norm(part: nn.Module) -> bool:
    """Others' normalisation layers go by their name; blocks that hold one, such as `Conv2dNormActivation`, are none."""
    return "Norm" in type(part).__name__ and next(part.children(), None) is None


def _ancestor(path: str, called: Collection[str]) -> str:
    while path and path not in called:
        path = path.rpartition(".")[0]
    return path


def _copied(module: nn.Module, tuned: Collection[str]) -> nn.Module:
    """A copy that shares the weights of all modules but these."""
    own = set(map(id, _weights_of(module, tuned).values()))
    rest = [value for value in chain(module.parameters(), module.buffers()) if id(value) not in own]
    # What a module noted in inference mode cannot take part in training.
    shared = {id(value): value.clone() if value.is_inference() else value for value in rest}
    return copy.deepcopy(module, shared).requires_grad_(False)


def _weights_of(network: nn.Module, paths: Collection[str]) -> dict[str, Tensor]:
    """Parameters and buffers of modules, by their own paths, each once; none that another module holds too."""
    parts = dict(network.named_modules())
    others = [part for path, part in parts.items() if path not in set(paths)]
    seen = {id(v) for part in others for v in chain(part.parameters(recurse=False), part.buffers(recurse=False))}
    found: dict[str, Tensor] = {}
    for path in paths:
        part = parts[path]
        for name, value in chain(part.named_parameters(path, recurse=False), part.named_buffers(path, recurse=False)):
            if id(value) not in seen:
                found[name] = value
                seen.add(id(value))
    return found
