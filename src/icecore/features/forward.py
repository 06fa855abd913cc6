"""Batches through the network: forward, pool, and what to do when one does not fit or does not work."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones import INPUT, Extractor, Layer
from icecore.errors import BackboneError, BadItemError
from icecore.prefix import Column, pool

# On a CPU the largest activation of a pass stays below this. From 32 MB on, glibc asks the system for the memory of
# every tensor anew: MobileNetV2 then takes up to three times as long for each image.
_ACTIVATION_BYTES = 24 << 20

Values = dict[Column, np.ndarray]


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
            return {column: np.concatenate([part[column] for part in parts]) for column in self._columns}
        try:
            return self._pooled(inputs)
        except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
            self._judge(error, inputs)
        self._fits[bucket] = len(inputs) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self(inputs)

    def _pooled(self, inputs: list[Any]) -> Values:
        """One pass for all columns. A layer pooled in several ways is reduced to all of them at once."""
        kept: dict[Column, Tensor] = {}

        def reduce(layer: Layer, value: Tensor) -> Tensor:
            for pooling in self._ways[layer.name]:
                pooled = pool(layer, value, pooling)
                kept[Column(layer.name, pooling)] = pooled.clone() if _shares(pooled, value) else pooled
            return value.new_empty(0)

        self._backbone.run(inputs, list(self._ways), reduce)
        return {column: kept[column].cpu().numpy() for column in self._columns}

    def _judge(self, error: Exception, inputs: list[Any]) -> None:
        """Return if a smaller batch may help; raise what it is otherwise."""
        if _out_of_memory(error):
            if len(inputs) > 1:
                return
            raise BackboneError(
                f"A single item does not fit in memory beside {self._backbone.id}: {error}",
                do="Use a smaller network or input size, or --device cpu.",
            ) from error
        shape = tuple(np.shape(inputs[0]))
        if shape == self._backbone.layers()[INPUT].shape:
            raise error
        raise BadItemError(f"the network cannot run on an input of shape {shape}: {_first_line(error)}") from error


def _suits(backbone: Extractor) -> int:
    """How many items a pass may have."""
    if torch.device(getattr(backbone, "device", "meta")).type != "cpu":
        return 1 << 30
    largest = max(math.prod(layer.shape) for layer in backbone.layers().values())
    return max(1, _ACTIVATION_BYTES // (4 * largest))


def finite(values: Values, n: int) -> np.ndarray:
    """Which of n items have finite values in all columns. Bool (n,)."""
    good = np.ones(n, bool)
    for value in values.values():
        good &= np.isfinite(value.reshape(n, -1)).all(1)
    return good


def _shares(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )
