"""`Suffix`: what a network does after a cut, as an ordinary module to train.

The network's own forward runs, as its author wrote it. Modules that finished before the cut answer with a ghost, NaN of
the right shape; the module at the cut answers with the boundary that was stored. So whatever a forward does between its
modules is done, and a value that crosses the cut elsewhere shows as NaN in the result.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from icecore.backbones.way import Way
from icecore.prefix.recording import UNFINISHED, Call, Outlines, Spot
from icecore.prefix.trees import haunted

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
    calls: dict[str, int] = field(default_factory=dict)


class Suffix(nn.Module):
    """The part of a network after a cut. Made by `cut`.

    It holds a copy of the network that shares the frozen weights with the original; the weights of modules that run
    after the cut only are its own, and take gradients.

    Args:
        module: the network, frozen.
        way: how it is run.
        outlines: the ghosts of its calls.
        layer: what is wanted of it, such as `last`.
        place: where it is cut.
        calls: what `record` saw on the way.
        live: modules before the cut that are run all the same, because what they give does not depend on the data.

    Attributes:
        network: the copy.
        trainable: parameters after the cut, by their paths in the network.
        equal_lengths: only inputs of one length may share a batch.
    """

    def __init__(
        self,
        module: nn.Module,
        way: Way,
        *,
        outlines: Outlines,
        layer: str,
        place: Place,
        calls: Sequence[Call],
        live: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.place, self.layer, self.equal_lengths = place, layer, False
        self._way, self._outlines, self._replay = way, outlines, _Replay()
        self._spots = {(call.path, call.number) for call in calls if _is_ghost(call, place, live)}
        self._tuned = _used_after(module, calls, place, way.classifier)
        self.network = _copied(module, self._tuned)
        self.trainable = {name: value for name, value in self._own().items() if isinstance(value, nn.Parameter)}
        for value in self.trainable.values():
            value.requires_grad = True
        self._haunt()

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
        outlines = self._outlines(inputs) if self._spots else {}
        self._replay.ghosts = {spot: haunted(outlines[spot], len(first), first.device) for spot in self._spots}
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
        return [part for part in parts if isinstance(part, _NORMS) or "Norm" in type(part).__name__]

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

    def _own(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for path in self._tuned:
            part = self.network.get_submodule(path)
            found.update(part.named_parameters(path, recurse=False))
            found.update(part.named_buffers(path, recurse=False))
        return found

    def _haunt(self) -> None:
        """Replace the forwards of modules by ones that answer some of their calls from the replay."""
        answered: dict[str, set[int]] = defaultdict(set)
        for path, number in self._spots:
            answered[path].add(number)
        at = (self.place.at, self.place.number)
        for path, numbers in answered.items():
            part = self.network.get_submodule(path)
            part.__dict__["forward"] = _replayed(self._replay, path, numbers, at, part.forward)
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


def _ancestor(path: str, called: Collection[str]) -> str:
    while path and path not in called:
        path = path.rpartition(".")[0]
    return path


def _copied(module: nn.Module, tuned: Collection[str]) -> nn.Module:
    """A copy that shares the weights of all modules but these."""
    parts = [module.get_submodule(path) for path in tuned]
    own = {id(v) for part in parts for v in chain(part.parameters(recurse=False), part.buffers(recurse=False))}
    shared = {id(v): v for v in chain(module.parameters(), module.buffers()) if id(v) not in own}
    return copy.deepcopy(module, shared).requires_grad_(False)


def _replayed(
    replay: _Replay, path: str, numbers: Collection[int], at: Spot, own: Callable[..., Any]
) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        number = replay.calls[path] = replay.calls.get(path, 0) + 1
        if number not in numbers:
            return own(*args, **kwargs)
        return replay.boundary if (path, number) == at else replay.ghosts[path, number]

    return forward
