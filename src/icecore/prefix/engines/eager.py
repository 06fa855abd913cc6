"""The eager engine: the network's own forward, left after the last layer that is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones import Extractor, Layer
from icecore.prefix.columns import Column
from icecore.prefix.engines.values import Rows, Values
from icecore.prefix.pooling import pool


class Eager:
    """Runs any extractor. A layer pooled in several ways is reduced to all of them in one pass.

    Args:
        backbone: the frozen network.
        columns: what is wanted of each pass.
    """

    engine = "eager"

    def __init__(self, backbone: Extractor, columns: Sequence[Column]) -> None:
        self._backbone, self._columns = backbone, columns
        on_gpu = str(getattr(backbone, "device", "")).startswith("cuda")
        self.in_flight: int = getattr(backbone, "in_flight", 2 if on_gpu else 1)  # one is copied, one is computed
        self.versions: Mapping[str, str] = {}
        self._ways: dict[str, list[str]] = defaultdict(list)
        for column in columns:
            self._ways[column.layer].append(column.pooling)

    def __call__(self, batch: Sequence[Any]) -> Values:
        """Values by column. What the network keeps of an activation is the place of each row in `pooled`."""
        pooled = Pooled(self._ways)
        places = self._backbone.run(batch, list(self._ways), pooled)
        return {column: pooled.rows(column, places[column.layer]) for column in self._columns}


class Pooled:
    """What activations are reduced to: a `Reduce` that keeps the rows, and gives back their places.

    Args:
        ways: poolings by layer.
    """

    def __init__(self, ways: Mapping[str, Sequence[str]]) -> None:
        self._ways = ways
        self._parts: dict[Column, list[Tensor]] = defaultdict(list)

    def __call__(self, layer: Layer, value: Tensor) -> Tensor:
        """Reduce an activation in all ways, and give the places of its rows, (n, 1)."""
        first = 0
        for pooling in self._ways[layer.name]:
            parts = self._parts[Column(layer.name, pooling)]
            first = sum(map(len, parts))
            part = pool(layer, value, pooling)
            parts.append(part.clone() if _shares(part, value) else part)
        return torch.arange(first, first + len(value))[:, None]

    def rows(self, column: Column, places: Tensor) -> Rows:
        """The rows of a column in the order of the items, of which `places` were given."""
        parts = self._parts[column]
        if len(parts) == 1:
            return np.asarray(parts[0].cpu().numpy()[places.flatten().numpy()])
        rows = [row for part in parts for row in part.cpu().numpy()]
        in_order = [rows[place] for place in places.flatten().tolist()]
        return np.stack(in_order) if len({row.shape for row in rows}) == 1 else in_order


def _shares(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
