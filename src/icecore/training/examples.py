"""Where training takes its batches from: boundaries that the store holds, or the prefix run live."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from icecore.backbones import INPUT, TorchBackbone
from icecore.data import Dataset, View, load
from icecore.features import Features
from icecore.prefix import Prefix

_THREADS = 4
Choice = tuple[np.ndarray, np.ndarray]  # positions of items, and the view of each


@dataclass(frozen=True, slots=True)
class Batch:
    """What a suffix is given.

    Attributes:
        boundary: what the module at the cut gave; None for a cut at `input`.
        inputs: the arguments of the network's forward.
        items: the prepared inputs, or what a replay needs of them.
    """

    boundary: Any
    inputs: Any
    items: Sequence[Any]


class Examples(Protocol):
    """Items, in all their views, as batches."""

    @property
    def lengths(self) -> np.ndarray | None:
        """Steps of each item, (n,), where they differ."""
        ...

    def batches(self, choices: Iterable[Choice]) -> Iterator[Batch]:
        """A batch for each choice of items and views, in order."""
        ...


class Stored:
    """Boundaries from the store.

    Args:
        prefix: below the cut.
        at: the cut.
        views: the features of every view, all of the same items; empty for a cut at `input`.
        items: what a replay needs of each prepared input (`thin`), or one for all where they are alike.
        in_memory: read everything once, instead of each batch from the disk.
    """

    def __init__(
        self, prefix: Prefix, at: str, views: Sequence[Features], items: Sequence[Any], *, in_memory: bool
    ) -> None:
        self._prefix, self._at, self._views, self._items = prefix, at, list(views), items
        self._in_memory = in_memory

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """Steps of each item, (n,), where they differ."""
        return lengths_of(self._prefix, self._items)

    def batches(self, choices: Iterable[Choice]) -> Iterator[Batch]:
        """See `Examples`."""
        backbone = self._prefix.backbone
        for index, view in choices:
            items = [self._items[i if len(self._items) > 1 else 0] for i in index]
            boundary = None if self._at == INPUT else self._boundary(index, view, items)
            yield Batch(boundary, backbone.stack_thin(items), items)

    def _boundary(self, index: np.ndarray, view: np.ndarray, items: Sequence[Any]) -> Any:
        rows = {leaf.name: self._rows(i, index, view) for i, leaf in enumerate(self._prefix.leaves(self._at))}
        return self._prefix.boundary(self._at, rows, items)

    def _rows(self, leaf: int, index: np.ndarray, view: np.ndarray) -> list[Tensor]:
        if self._in_memory:
            return [self._all[v][leaf][i] for i, v in zip(index.tolist(), view.tolist(), strict=True)]
        found: list[Tensor] = [torch.empty(0)] * len(index)
        for number in np.unique(view).tolist():
            places = np.flatnonzero(view == number)
            for place, row in zip(places, self._read(self._views[number].take(index[places]), leaf), strict=True):
                found[place] = row
        return found

    @cached_property
    def _all(self) -> list[list[Sequence[Tensor]]]:
        """By view, leaf and item."""
        leaves = range(len(self._prefix.leaves(self._at)))
        return [[self._read(features, leaf) for leaf in leaves] for features in self._views]

    def _read(self, features: Features, leaf: int) -> Sequence[Tensor]:
        column = self._prefix.columns(self._at)[leaf]
        return [torch.from_numpy(row) for row in features.read(column)]


class Live:
    """The prefix run anew for every batch: decoding, preparing and the frozen part. What is next is prepared meanwhile.

    Args:
        prefix: below the cut.
        at: the cut.
        dataset: the items; none of them is bad.
        views: of each item.
        items: what is known of each prepared input (`thin`), or of one for all where they are alike.
    """

    def __init__(self, prefix: Prefix, at: str, dataset: Dataset, views: Sequence[View], items: Sequence[Any]) -> None:
        self._prefix, self._at, self._dataset, self._views = prefix, at, dataset, list(views)
        self.lengths: np.ndarray | None = lengths_of(prefix, items)

    def batches(self, choices: Iterable[Choice]) -> Iterator[Batch]:
        """See `Examples`."""
        ahead: deque[list[Future[Any]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for index, view in choices:
                pairs = zip(index.tolist(), view.tolist(), strict=True)
                ahead.append([pool.submit(self._prepared, *pair) for pair in pairs])
                if len(ahead) > 1:
                    yield self._batch([future.result() for future in ahead.popleft()])
            for waiting in ahead:
                yield self._batch([future.result() for future in waiting])

    def _prepared(self, index: int, view: int) -> Any:
        backbone = self._prefix.backbone
        _, decoded = load(self._dataset.inputs[index], backbone.modality)
        return backbone.prepare(self._views[view](decoded))

    def _batch(self, items: Sequence[Any]) -> Batch:
        backbone: TorchBackbone = self._prefix.backbone
        return Batch(self._prefix.live(self._at, items), backbone.stack(items), items)


def lengths_of(prefix: Prefix, items: Sequence[Any]) -> np.ndarray | None:
    """Steps of the longest window of each item, (n,), where they differ."""
    found = [max(own) for own in prefix.backbone.lengths(list(items))]
    return np.array(found) if len(set(found)) > 1 else None
