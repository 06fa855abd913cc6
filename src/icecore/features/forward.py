"""Batches through the network: forward, pool, and what to do when one does not fit or does not work."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch

from icecore.backbones import FREE, INPUT, Extractor
from icecore.errors import BackboneError, BadItemError
from icecore.prefix import Column
from icecore.prefix.engines import Eager, Runner, Values, joined

# On a CPU the largest activation of a pass stays below this. From 32 MB on, glibc asks the system for the memory of
# every tensor anew: MobileNetV2 then takes up to three times as long for each image.
_ACTIVATION_BYTES = 24 << 20
_ANY = 1 << 30


class Forward:
    """Runs batches, in pieces of a size that suits the device and the engine.

    What did not fit in memory is halved, and the smaller size is kept to from then on.

    Args:
        backbone: the frozen network.
        columns: what is wanted of each pass.
        runner: runs them; the eager engine by default.

    Attributes:
        in_flight: how many batches may be given to it at once, from threads of their own.
    """

    def __init__(self, backbone: Extractor, columns: Sequence[Column], runner: Runner | None = None) -> None:
        self._backbone, self._columns = backbone, columns
        self._run: Runner = runner or Eager(backbone, columns)
        self.in_flight = self._run.in_flight
        self._most = _suits(backbone) if self._run.engine == Eager.engine else _ANY
        self._fits: dict[Hashable, int] = {}

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
            return self._run(inputs)
        except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
            self._judge(error, inputs)
        self._fits[bucket] = len(inputs) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self(inputs)

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
        return _ANY
    sizes = [math.prod(layer.shape) for layer in backbone.layers().values() if FREE not in layer.shape]
    largest = max(sizes, default=1)
    return max(1, _ACTIVATION_BYTES // (4 * largest))


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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )
