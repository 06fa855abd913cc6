"""Rows on their way into the store: collected, and committed a part at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

import numpy as np

from icecore.backbones import Extractor
from icecore.features.pipeline import Computed
from icecore.prefix import Column, column_key
from icecore.store import Table

_PART_BYTES = 32 << 20
_PART_SECONDS = 5.0  # what a killed run may lose
_LIBRARIES = ("torch", "timm", "torchvision", "transformers", "pillow")


class Writer:
    """Collects computed rows and commits them every few seconds or megabytes, and when left for whatever reason."""

    def __init__(self, table: Table, backbone: Extractor, columns: list[Column]) -> None:
        self._table, self._columns = table, columns
        self._keys = {column: column_key(backbone, column) for column in columns}
        self._about = {self._keys[c]: {"id": backbone.id, "layer": c.layer, "pooling": c.pooling} for c in columns}
        self._pending: list[Computed] = []
        self._committed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit()

    def add(self, computed: Computed) -> None:
        """Take rows; commit if enough have come together."""
        if computed.rows:
            self._pending.append(computed)
        if self._bytes() >= _PART_BYTES or time.monotonic() - self._committed >= _PART_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Write what is pending as one part."""
        pending, self._pending = self._pending, []
        self._committed = time.monotonic()
        if pending:
            rows = [row for computed in pending for row in computed.rows]
            values = {self._keys[c]: _joined([computed.values[c] for computed in pending]) for c in self._columns}
            self._table.append(rows, values, about=self._about, written_by=written_by())

    def _bytes(self) -> int:
        return sum(value.nbytes for computed in self._pending for value in computed.values.values())


def _joined(values: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """One matrix where rows are vectors of one length; else a list of rows with their shapes."""
    if all(value.ndim == 2 and value.shape[1] == values[0].shape[1] for value in values):
        return np.concatenate(values)
    return [row for value in values for row in value]


def written_by() -> Mapping[str, str]:
    """The engine and the library versions that computed a part; recorded in it, not in its key."""
    return {"engine": "eager"} | {name: _version(name) for name in _LIBRARIES if _version(name)}


def _version(name: str) -> Any:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
