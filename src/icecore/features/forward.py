"""Batches through the network: forward, pool, and what to do when one does not fit or does not work."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones import FREE, INPUT, Extractor, Layer
from icecore.errors import BackboneError, BadItemError
from icecore.prefix import Column, pool

# On a CPU the largest activation of a pass stays below this. From 32 MB on, glibc asks the system for the memory of
# every tensor anew: MobileNetV2 then takes up to three times as long for each image.
_ACTIVATION_BYTES = 24 << 20

Rows = np.ndarray | list[np.ndarray]  # a list where their shapes differ
Values = dict[Column, Rows]


class Forward:
    """Runs batches, in pieces of a size that suits the device.

    What did not fit in memory is halved, and the smaller size is kept to from then on.

    Args:
        backbone: the frozen network.
        columns: what is wanted of each pass.
    """

    def __init__(self, backbone: Extractor, columns: Sequence[Column]) -> None:
        self._backbone, self._columns = backbone, columns
        self._most = _suits(backbone)
        self._fits: dict[Hashable, int] = {}
        self._ways: dict[str, list[str]] = defaultdict(list)
        for column in columns:
            self._ways[column.layer].append(column.pooling)

    def __call__(self, inputs: list[Any]) -> Values:
        """Values by column, (n, ...) each, of n prepared inputs of one bucket.

        Raises BackboneError where a single one does not fit in memory, BadItemError where the network cannot run on
        inputs of this shape, though it can on others.
        """
        bucket = self._backbone.bucket(inputs[0])
        size = self._fits.get(bucket, self._most)
        if size < len(inputs):
            parts = [self(inputs[start : start + size]) for start in range(0, len(inputs), size)]
            return {column: joined([part[column] for part in parts]) for column in self._columns}
        try:
            return self._pooled(inputs)
        except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
            self._judge(error, inputs)
        self._fits[bucket] = len(inputs) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self(inputs)

    def _pooled(self, inputs: list[Any]) -> Values:
        """One pass for all columns. A layer pooled in several ways is reduced to all of them at once.

        What the network keeps of an activation is the place of each row in `pooled`.
        """
        pooled: dict[Column, list[Tensor]] = {column: [] for column in self._columns}

        def reduce(layer: Layer, value: Tensor) -> Tensor:
            first = 0
            for pooling in self._ways[layer.name]:
                parts = pooled[Column(layer.name, pooling)]
                first = sum(map(len, parts))
                part = pool(layer, value, pooling)
                parts.append(part.clone() if _shares(part, value) else part)
            return torch.arange(first, first + len(value))[:, None]

        places = self._backbone.run(inputs, list(self._ways), reduce)
        return {column: _in_order(pooled[column], places[column.layer]) for column in self._columns}

    def _judge(self, error: Exception, inputs: list[Any]) -> None:
        """Return if a smaller batch may help; raise what it is otherwise."""
        if _out_of_memory(error):
            if len(inputs) > 1:
                return
            raise BackboneError(
                f"A single item does not fit in memory beside {self._backbone.id}: {error}",
                do="Use a smaller network or input size, or --device cpu.",
            ) from error
        shape = tuple(inputs[0].shape if hasattr(inputs[0], "shape") else np.shape(inputs[0]))
        usual = self._backbone.layers().get(INPUT)
        if usual is None or shape == usual.shape:
            raise error
        raise BadItemError(f"the network cannot run on an input of shape {shape}: {_first_line(error)}") from error


def _suits(backbone: Extractor) -> int:
    """How many items a pass may have. Activations as long as the item are the network's own care."""
    if torch.device(getattr(backbone, "device", "meta")).type != "cpu":
        return 1 << 30
    sizes = [math.prod(layer.shape) for layer in backbone.layers().values() if FREE not in layer.shape]
    largest = max(sizes, default=1)
    return max(1, _ACTIVATION_BYTES // (4 * largest))


def joined(values: Sequence[Rows]) -> Rows:
    """One matrix where rows are vectors of one length; else a list of rows in their own shapes."""
    arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim == 2]
    if len(arrays) == len(values) and len({value.shape[1] for value in arrays}) == 1:
        return np.concatenate(arrays)
    return [row for value in values for row in value]


def finite(values: Values, n: int) -> np.ndarray:
    """Which of n items have finite values in all columns. Bool (n,)."""
    good = np.ones(n, bool)
    for rows in values.values():
        good &= (
            np.isfinite(rows.reshape(n, -1)).all(1)
            if isinstance(rows, np.ndarray)
            else np.array([np.isfinite(row).all() for row in rows])
        )
    return good


def _in_order(parts: Sequence[Tensor], places: Tensor) -> Rows:
    """The rows of all parts in the order of the items."""
    if len(parts) == 1:
        return np.asarray(parts[0].cpu().numpy()[places.flatten().numpy()])
    order = places.flatten().tolist()
    rows = [row for part in parts for row in part.cpu().numpy()]
    in_order = [rows[place] for place in order]
    return np.stack(in_order) if len({row.shape for row in rows}) == 1 else in_order


def _shares(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )
