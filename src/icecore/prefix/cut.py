"""Cut a network at any module: below it a pure function, above it ordinary modules to train.

The cut is verified when it is made: the full forward and the replay from the boundary must agree on a probe batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from icecore.backbones import INPUT, LAST, SequenceBackbone, TorchBackbone, no_such_layer
from icecore.backbones.way import Way
from icecore.errors import BackboneError, LayerError
from icecore.prefix.boundary import Prefix
from icecore.prefix.pooling import canonical_pooling, pool
from icecore.prefix.recording import Outlines, record
from icecore.prefix.suffix import Place, Suffix, before
from icecore.prefix.taking import outputs_at
from icecore.prefix.trees import Ghost, Tree, holds_nan

TOLERANCE = 1e-5  # of the largest value
_TRIES = 12


def cut(backbone: TorchBackbone, at: str, *, layer: str = LAST) -> tuple[Prefix, Suffix]:
    """Cut a network after a module.

    Args:
        backbone: a torch network of any provider.
        at: path of the module whose output is the boundary, or `input` to leave nothing frozen.
        layer: what the suffix gives, `last` or `logits`.

    Returns:
        The prefix, whose rows the store keeps, and the suffix, which takes them.

    Raises:
        LayerError: there is no such module on the way to the layer, or something else crosses the cut; the nearest cut
            that holds is named.

    Example:
        >>> from icecore import backbones
        >>> net = backbones.load("icecore:vision-s@random", device="cpu")
        >>> prefix, suffix = cut(net, "stages.2")
        >>> x = torch.rand(2, 3, 96, 96)
        >>> boundary = prefix.live("stages.2", list(x))
        >>> torch.allclose(suffix(boundary, x), net.run(list(x), ["last"], lambda _, value: value)["last"], atol=1e-4)
        True
    """
    cutter = Cutter(backbone, layer)
    place = cutter.place(at)
    prefix, suffix = cutter.prefix([place]), cutter.suffix(place)
    if suffix is None:
        raise cutter.refusal(place)
    return prefix, suffix


class Cutter:
    """Cuts one network, at several places if need be.

    Args:
        backbone: a torch network.
        layer: what the suffixes give.
    """

    def __init__(self, backbone: TorchBackbone, layer: str = LAST) -> None:
        self.backbone, self.layer = backbone, layer
        self.way: Way = backbone.way(layer)
        self._probe = backbone.probes()[-1]
        self._calls, self._expected = record(backbone.module, self.way, layer, self._probe)
        self._ghosts = Outlines(backbone.module, self.way, layer)(self._probe)

    def place(self, at: str) -> Place:
        """After the last call of a module. Raises LayerError."""
        if at == INPUT:
            return Place(INPUT)
        found = [place for place in self.places() if place.at == at]
        if not found and at in self.backbone.layers():
            raise LayerError(
                f"{self.backbone.id} cannot be cut after {at}: it gives {self.layer}, or comes behind it.",
                do=f"Cut it after {self.places()[-1].at}, the last place before.",
            )
        if not found:
            raise no_such_layer(self.backbone, at)
        return found[-1]

    def places(self) -> list[Place]:
        """Every place on the way to the layer, in run order: after the last calls of modules that can be taken."""
        known = self.backbone.layers()
        last = {call.path: call for call in self._calls if call.path in known and call.output is not None}
        ordered = sorted(last.values(), key=lambda call: call.finished)
        return [Place(INPUT), *(Place(call.path, call.number, call.finished) for call in ordered)]

    def prefix(self, places: Sequence[Place]) -> Prefix:
        """The network below some places."""
        return Prefix(self.backbone, self.way, sorted(places, key=lambda place: place.time))

    def suffix(self, place: Place) -> Suffix | None:
        """The network above a place; None where something else crosses there, or the boundary cannot be stored."""
        try:
            prefix = self.prefix([place])
        except LayerError:
            return None
        for live in self._lives(place):
            suffix = Suffix(
                self.backbone.module,
                self.way,
                layer=self.layer,
                place=place,
                calls=self._calls,
                live=live,
            )
            suffix.outlines.learn(self._probe, self._ghosts)
            if self._agrees(suffix):
                suffix.equal_lengths = self._mixes(suffix, prefix)
                return suffix
        return None

    def started(self, path: str) -> int:
        """When a module started first, on the clock of places. Raises LayerError where it is not on the way."""
        times = [call.started for call in self._calls if call.path == path]
        if not times:
            raise no_such_layer(self.backbone, path)
        return times[0]

    def before(self, start: str) -> tuple[Place, Suffix]:
        """The last place before a module starts at which the network can be cut. Raises LayerError."""
        started = self.started(start)
        earlier = [place for place in reversed(self.places()) if place.time < started]
        outer = [next(p for p in earlier if p.time < self.started(path)) for path in _around(start) if self._runs(path)]
        return self._first_that_holds([*earlier[:_TRIES], *outer])

    def whole(self) -> tuple[Place, Suffix]:
        """The cut at the input: nothing is frozen."""
        return self._first_that_holds([])

    def _runs(self, path: str) -> bool:
        return any(call.path == path for call in self._calls)

    def _first_that_holds(self, places: Sequence[Place]) -> tuple[Place, Suffix]:
        for place in [*places, Place(INPUT)]:
            suffix = self.suffix(place)
            if suffix is not None:
                return place, suffix
        raise BackboneError(f"{self.backbone.id} cannot be replayed: two passes over one batch differ.")

    def refusal(self, place: Place) -> LayerError:
        """The error for a place where something crosses, with the nearest that holds."""
        others = [other for other in self.places() if other != place]
        around = _around(place.at)
        nearest = sorted(others, key=lambda other: (other.at not in around, abs(other.time - place.time)))[:_TRIES]
        good = next((other.at for other in nearest if self.suffix(other) is not None), INPUT)
        return LayerError(
            f"{self.backbone.id} cannot be cut after {place.at}: what earlier modules gave is used again behind it.",
            do=f"Cut it after {good}, the nearest that holds.",
        )

    def _lives(self, place: Place) -> Iterator[frozenset[str]]:
        """Which modules before the cut are run: none; or those that may give the same for any data.

        They have no weights (rotary positions), or what they give is of one shape for any number of items (relative
        positions). Where it depends on the data all the same, it does on NaN.
        """
        yield frozenset()
        over = [call for call in self._calls if before(call, place) and call.path != place.at]
        live = {call.path for call in over if not _weighs(self.backbone.module.get_submodule(call.path))}
        counting = {call.path for call in over if _counts_items(self._ghosts.get((call.path, call.number)))}
        live |= {call.path for call in over} - counting
        if live:
            yield frozenset(live)

    def _agrees(self, suffix: Suffix) -> bool:
        """Whether the replay gives what the network's own forward gives."""
        boundary, inputs = self._boundary(suffix.place), self._ghostly(suffix.place)
        for suffix.solid in (False, True):
            try:
                with torch.no_grad():
                    value = suffix(boundary, inputs)
            except Exception:  # noqa: BLE001, S112 - whatever a network may raise on a ghost
                continue
            return not holds_nan(value) and _close(value, self._expected)
        return False

    def _mixes(self, suffix: Suffix, prefix: Prefix) -> bool:
        """Whether rows of different lengths, padded again behind the cut, come out otherwise than alone."""
        backbone = self.backbone
        if not isinstance(backbone, SequenceBackbone) or backbone.equal_lengths:
            return isinstance(backbone, SequenceBackbone)
        batch = [backbone.prepare(sample) for sample in backbone.samples]
        with torch.no_grad():
            boundary = prefix.boundary(suffix.place.at, prefix.rows(batch), batch)
            replayed = self._mean(suffix(boundary, backbone.stack(batch)), batch)
        alone = torch.cat(
            [
                self._mean(record(backbone.module, self.way, self.layer, backbone.stack([one]))[1], [one])
                for one in batch
            ]
        )
        return not _close(replayed, alone)

    def _mean(self, value: Tensor, batch: Sequence[Any]) -> Tensor:
        """The layer's activation as a vector an item."""
        layer = self.backbone.layers()[self.layer]
        pooling = canonical_pooling(layer, "mean")
        return self.backbone.reduced(layer, value, batch, lambda own, rows: pool(own, rows, pooling))

    def _boundary(self, place: Place) -> Any:
        return None if place.at == INPUT else outputs_at(self.way, self.backbone.module, [place], self._probe)[place.at]

    def _ghostly(self, place: Place) -> Any:
        return self._probe if place.at == INPUT else ghostly(self._probe)


def ghostly(inputs: Any) -> Any:
    """Arguments of a forward with NaN in the place of real numbers."""
    if isinstance(inputs, Tensor):
        return inputs.new_full((), torch.nan).expand(inputs.shape) if inputs.is_floating_point() else inputs
    return {name: ghostly(value) for name, value in inputs.items()}


def _around(path: str) -> list[str]:
    """Paths of the modules that a module is in, innermost first."""
    return [path[:i] for i in range(len(path) - 1, 0, -1) if path[i] == "."]


def _weighs(part: Any) -> bool:
    return next(part.parameters(), None) is not None


def _counts_items(outline: Tree | None) -> bool:
    return outline is None or any(isinstance(leaf, Ghost) and leaf.counts_items for leaf in outline.leaves)


def _close(value: Tensor, expected: Tensor) -> bool:
    if value.shape != expected.shape:
        return False
    largest = float(expected.abs().max().clamp(min=torch.finfo(torch.float32).tiny))
    return float((value - expected).abs().max()) <= TOLERANCE * largest
