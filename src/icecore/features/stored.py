"""A matrix that stays in the store: its rows are read when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.errors import LayerError

if TYPE_CHECKING:
    from icecore.features.finding import Source
    from icecore.store import RowKeys


class StoredRows:
    """Features (n, d) of which any rows can be had as float32 arrays, by slices and positions; `icecore.heads.Rows`.

    Args:
        source: where they are read: a table of the store, for instance.
        column: key of the column.
        rows: their keys.
        width: d.
    """

    def __init__(self, source: Source, column: str, rows: RowKeys, width: int) -> None:
        self._source, self._column, self._rows, self._width = source, column, rows, width

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        return len(self._rows), self._width

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: slice | np.ndarray) -> np.ndarray:
        rows = self._rows[at] if isinstance(at, slice) else self._rows.take(at)
        return as_matrix(self._source.read(self._column, rows))


def as_matrix(values: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """Values as (n, d); rows that were not pooled are flattened. Raises LayerError where they differ in size."""
    if isinstance(values, np.ndarray):
        return values
    if len({value.size for value in values}) > 1:
        raise LayerError("The rows of this layer differ in size.", do="Choose a pooling that makes them equal.")
    return np.stack([value.reshape(-1) for value in values])
