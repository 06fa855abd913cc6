"""`Prefix`: what a network does up to a cut, as an extractor whose layers are the leaves of the boundary.

So the store keeps boundaries as it keeps any other features. A row holds an item's leaves without padding; `boundary`
puts rows together again to what the module at the cut gave for a batch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore.backbones import FREE, INPUT, Layer, Reduce, TorchBackbone, reduced_in_groups
from icecore.backbones.way import Take, Way
from icecore.data import View, ViewedPreprocessing
from icecore.errors import LayerError
from icecore.prefix.columns import Column
from icecore.prefix.pooling import BOUNDARY
from icecore.prefix.suffix import Place
from icecore.prefix.taking import outputs_at, taking
from icecore.prefix.trees import Tree

_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Leaf:
    """One tensor of a boundary.

    Attributes:
        name: the layer that it is stored as: `path#0` for the first tensor that the module gives, and so on.
        shape: of one row, a window of the input; `FREE` for an axis as long as the window.
        longest: the same for the longer of the probes.
        dtype: as the network has it.
        each: rows of the tensor for each window, more than 1 where heads are counted with them; 0 where one row serves
            the whole batch.
    """

    name: str
    shape: tuple[int, ...]
    longest: tuple[int, ...]
    dtype: torch.dtype
    each: int


class Prefix:
    """The frozen part of a network below one cut or several. Implements `Extractor`.

    Made by `cut`.

    Args:
        backbone: the network.
        way: how it is run.
        places: where it is cut, in run order.

    Attributes:
        view: the view of every item that it takes; None for the item itself.
    """

    def __init__(self, backbone: TorchBackbone, way: Way, places: Sequence[Place]) -> None:
        self.backbone, self.places = backbone, list(places)
        self.id, self.provider, self.modality = backbone.id, backbone.provider, backbone.modality
        self.preprocessing, self.licence, self.source = backbone.preprocessing, backbone.licence, backbone.source
        self.notes, self.architecture, self.device = backbone.notes, backbone.architecture, backbone.device
        self.precision, self.engine = backbone.precision, backbone.engine
        self.runners: dict[Hashable, Any] = {}
        self._way = way
        self.view: View | None = None
        self._trees: dict[str, Tree] = {}
        self._leaves: dict[str, list[Leaf]] = {}
        for place in self.places:
            self._trees[place.at], self._leaves[place.at] = self._looked_at(place)

    def leaves(self, at: str) -> list[Leaf]:
        """The tensors of a boundary."""
        return self._leaves[at]

    def columns(self, at: str) -> list[Column]:
        """The feature columns that hold a boundary."""
        return [Column(leaf.name, BOUNDARY) for leaf in self._leaves[at]]

    def layers(self) -> Mapping[str, Layer]:
        """Those of the network, and the leaves of the boundaries."""
        leaves = [leaf for found in self._leaves.values() for leaf in found]
        own = {leaf.name: Layer(leaf.name, leaf.shape, _axes(leaf)) for leaf in leaves}
        return {**self.backbone.layers(), **own}

    def weights_digest(self, layer: str) -> str:
        """Hash of the weights that a leaf depends on."""
        at = next((at for at, leaves in self._leaves.items() if layer in [leaf.name for leaf in leaves]), layer)
        return self.backbone.weights_digest(at)

    def viewed(self, view: View) -> Prefix:
        """The same of a numbered view of every item; of view 0, itself."""
        if view.number == 0:
            return self
        other = copy.copy(self)
        other.view = view
        other.preprocessing = ViewedPreprocessing(self.backbone.preprocessing, view)
        return other

    def prepare(self, decoded: Any) -> Any:
        """Preprocess one decoded input, or its view."""
        return self.backbone.prepare(decoded if self.view is None else self.view(decoded))

    def bucket(self, prepared: Any) -> Hashable:
        """Inputs of the same bucket may share a batch."""
        return self.backbone.bucket(prepared)

    def run(self, batch: Sequence[Any], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Run prepared inputs as far as the last cut, or as the last of the network's own layers asked for.

        All comes from one pass. See `Extractor.run`.
        """
        own = [name for name in layers if name not in self._by_name]
        parts = [self._run(piece, own, layers, reduce) for piece in self.backbone.pieces(batch)]
        return {name: torch.cat([part[name] for part in parts]) for name in layers}

    def boundary(self, at: str, rows: Mapping[str, Sequence[Tensor]], batch: Sequence[Any]) -> Any:
        """What the module at a cut gave, from stored rows.

        Args:
            at: the cut.
            rows: for each leaf the rows of n items.
            batch: the n prepared inputs, or what `thin` leaves of them.
        """
        leaves = [self._stacked(leaf, rows[leaf.name], batch) for leaf in self._leaves[at]]
        tree = self._trees[at]
        values = list(tree.leaves)
        for place, leaf in zip(tree.tensors, leaves, strict=True):
            values[place] = leaf
        return tree.with_leaves(values)

    def row_bytes(self, items: Sequence[Any]) -> int:
        """Bytes that the boundaries of some prepared inputs take, as float32."""
        leaves = [leaf for found in self._leaves.values() for leaf in found]
        lengths = [length for own in self.backbone.lengths(items) for length in own]
        return 4 * sum(math.prod(self._size(leaf, length)) for leaf in leaves for length in lengths)

    def live(self, at: str, batch: Sequence[Any]) -> Any:
        """What the module at a cut gives for prepared inputs, computed now."""
        place = next(place for place in self.places if place.at == at)
        return self._as_traced(at, self._outputs([place], self.backbone.stack(batch)).get(at))

    def rows(self, batch: Sequence[Any]) -> dict[str, list[Tensor]]:
        """For each leaf of each boundary what is kept of each of the prepared inputs."""
        found = self._leaves_of(self._outputs(self.places, self.backbone.stack(batch)))
        known = self._by_name
        return {name: self._kept(known[name], value, batch) for name, value in found.items()}

    def stack(self, batch: Sequence[Any]) -> Any:
        """What the forward takes."""
        return self.backbone.stack(batch)

    def pieces(self, batch: Sequence[Any]) -> list[Sequence[Any]]:
        """The batch in parts that suit the device."""
        return self.backbone.pieces(batch)

    def probes(self) -> list[Any]:
        """Batches as the forward takes them; of two lengths where inputs have lengths."""
        return self.backbone.probes()

    def raw(self, batch: Sequence[Any], stacked: Any) -> Tensor:
        """The layer `input`, (n, ...)."""
        return self.backbone.raw(batch, stacked)

    @property
    def module(self) -> nn.Module:
        """The whole network."""
        return self.backbone.module

    def running(self, stacked: Any) -> AbstractContextManager[tuple[nn.Module, Any]]:
        """See `TorchBackbone.running`."""
        return self.backbone.running(stacked)

    def at_precision(self, precision: str) -> Prefix:
        """Itself, or the same prefix run in another precision."""
        backbone = self.backbone.at_precision(precision)
        if backbone is self.backbone:
            return self
        other = copy.copy(self)
        other.backbone, other.precision, other.runners = backbone, backbone.precision, {}
        return other

    def whole(self, layer: str) -> bool:
        """Whether a row of a layer's activation is an item, so that it can be pooled as it is."""
        return layer not in self._by_name and self.backbone.whole(layer)

    def whole_pass(self, module: nn.Module, stacked: Any, layers: Sequence[str], take: Take) -> None:
        """See `TorchBackbone.whole_pass`."""
        own = [name for name in layers if name not in self._by_name]
        with taking(module, self.places) as outputs:
            if own:
                self.backbone.whole_pass(module, stacked, own, take)
            if outputs.keys() < {place.at for place in self.places} - {INPUT}:
                self._way.forward(module, stacked)
        for name, value in self._leaves_of(outputs).items():
            if name in layers:
                take(name, value)

    def reduced(self, layer: Layer, value: Tensor, batch: Sequence[Any], reduce: Reduce) -> Tensor:
        """What is kept of a layer's activation, a row for each item."""
        leaf = self._by_name.get(layer.name)
        if leaf is None:
            return self.backbone.reduced(layer, value, batch, reduce)
        return reduced_in_groups(layer, self._kept(leaf, value, batch), reduce)

    @cached_property
    def _by_name(self) -> dict[str, Leaf]:
        return {leaf.name: leaf for leaves in self._leaves.values() for leaf in leaves}

    def _outputs(self, places: Sequence[Place], stacked: Any) -> dict[str, Any]:
        with self.backbone.running(stacked) as (module, inputs):
            return outputs_at(self._way, module, places, inputs)

    def _leaves_of(self, outputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """The tensors of boundaries by their names."""
        trees = {at: Tree.of(value) for at, value in outputs.items()}
        return {
            leaf.name: tree.leaves[place]
            for at, tree in trees.items()
            for leaf, place in zip(self._leaves[at], tree.tensors, strict=True)
        }

    def _as_traced(self, at: str, value: Any) -> Any:
        """A boundary with its tensors in the types of the network in float32."""
        tree = Tree.of(value)
        values = list(tree.leaves)
        for leaf, place in zip(self._leaves[at], tree.tensors, strict=True):
            values[place] = values[place].to(leaf.dtype)
        return tree.with_leaves(values)

    def _run(
        self, batch: Sequence[Any], own: Sequence[str], layers: Sequence[str], reduce: Reduce
    ) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        stacked = self.backbone.stack(batch)
        if own:
            with self.backbone.running(stacked) as (module, _), taking(module, self.places) as outputs:
                # the cuts too, so that the pass comes as far
                found = self.backbone.run(batch, list({*own, *(p.at for p in self.places)}), _only(own, reduce))
        else:
            outputs = self._outputs(self.places, stacked)
        known = self.layers()
        leaves = {
            name: self.reduced(known[name], value, batch, reduce)
            for name, value in self._leaves_of(outputs).items()
            if name in layers
        }
        return {name: found[name] for name in own} | leaves

    def _looked_at(self, place: Place) -> tuple[Tree, list[Leaf]]:
        """The structure of a boundary and its tensors, from probes of two lengths and two sizes of batch."""
        if place.at == INPUT:
            return Tree.of(None), []
        trees = [Tree.of(self._probed(place, probe)) for probe in self.backbone.probes()]
        single = Tree.of(self._probed(place, _one_of(self.backbone.probes()[-1])))
        shorter, longer = trees[0], trees[-1]
        windows = _windows_of(self.backbone.probes()[-1])
        rows = [_rows_each(single.leaves[i], longer.leaves[i], windows) for i in longer.tensors]
        if _UNKNOWN in rows or not longer.plain:
            raise LayerError(
                f"{self.id} cannot be cut after {place.at}: what it gives cannot be told apart by items.",
                expected="Tensors whose first axis counts the items, alone or in tuples, lists or dictionaries.",
            )
        leaves = []
        for number, (i, each) in enumerate(zip(longer.tensors, rows, strict=True)):
            long, short = (
                ((each, *v.shape[1:]) if each > 1 else v.shape[1:]) for v in (longer.leaves[i], shorter.leaves[i])
            )
            shape = tuple(a if a == b else FREE for a, b in zip(long, short, strict=True))
            leaves.append(Leaf(f"{place.at}#{number}", shape, tuple(long), longer.leaves[i].dtype, each))
        return longer, leaves

    def _probed(self, place: Place, probe: Any) -> Any:
        return outputs_at(self._way, self.backbone.module, [place], probe)[place.at]

    def _kept(self, leaf: Leaf, value: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        """An item's rows: the tensor without padding; of several windows one flat run of numbers."""
        lengths = self.backbone.lengths(batch)
        rows = iter(value.reshape(-1, leaf.each, *value.shape[1:]) if leaf.each > 1 else value)
        if leaf.each == 0:
            rows = iter(value.expand(sum(map(len, lengths)), *value.shape[1:]))
        kept = []
        for own in lengths:
            parts = [self._real(leaf, next(rows), length, batch) for length in own]
            kept.append(parts[0].clone() if len(parts) == 1 else torch.cat([part.flatten() for part in parts]))
        return kept

    def _real(self, leaf: Leaf, row: Tensor, length: int, batch: Sequence[Any]) -> Tensor:
        for axis, size in enumerate(leaf.shape):
            if size == FREE:
                row = row.narrow(axis, 0, self.backbone.steps(row.shape[axis], self.backbone.longest(batch), length))
        return row

    def _stacked(self, leaf: Leaf, rows: Sequence[Tensor], batch: Sequence[Any]) -> Tensor:
        lengths = self.backbone.lengths(batch)
        whole = self._size(leaf, self.backbone.longest(batch)) if FREE in leaf.shape else leaf.shape
        parts = [part for own, row in zip(lengths, rows, strict=True) for part in self._windows(leaf, row, own)]
        if leaf.each == 0:
            parts = [max(parts, key=Tensor.numel)]  # of the longest window, such as relative positions
        value = torch.stack([_padded(part, whole) for part in parts])
        value = value.flatten(0, 1) if leaf.each > 1 else value
        return value.to(self.backbone.device, leaf.dtype)

    def _windows(self, leaf: Leaf, row: Tensor, lengths: Sequence[int]) -> Sequence[Tensor]:
        if len(lengths) == 1:
            return [row]
        shapes = [self._size(leaf, length) for length in lengths]
        pieces = torch.split(row, [math.prod(shape) for shape in shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def _size(self, leaf: Leaf, length: int) -> tuple[int, ...]:
        """The shape of a window's row."""
        probe = self.backbone.probe_length
        sizes = zip(leaf.shape, leaf.longest, strict=True)
        return tuple(self.backbone.steps(long, probe, length) if size == FREE else size for size, long in sizes)


def _only(layers: Sequence[str], reduce: Reduce) -> Reduce:
    """Reduce these layers; of others nothing is kept."""
    return lambda layer, value: reduce(layer, value) if layer.name in layers else value.new_empty(len(value), 0)


def _one_of(probe: Any) -> Any:
    return {name: value[:1] for name, value in probe.items()} if isinstance(probe, Mapping) else probe[:1]


def _windows_of(probe: Any) -> int:
    return len(next(iter(probe.values())) if isinstance(probe, Mapping) else probe)


def _rows_each(single: Tensor, probe: Tensor, windows: int) -> int:
    """Rows for each window, from what a tensor is for one window and for several."""
    one, several = ((len(value) if value.dim() else 0) for value in (single, probe))
    if one == several == 1:
        return 0
    return one if one and several == one * windows else _UNKNOWN


def _axes(leaf: Leaf) -> tuple[str, ...]:
    return tuple(f"axis{i}" for i in range(len(leaf.shape)))


def _padded(row: Tensor, shape: Sequence[int]) -> Tensor:
    missing = [whole - size for whole, size in zip(shape, row.shape, strict=True)]
    if not any(missing):
        return row
    return F.pad(row, [size for gap in reversed(missing) for size in (0, gap)])
