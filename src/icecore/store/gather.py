"""Values of rows that lie in several parts, brought into the order in which they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from icecore.errors import StoreError
from icecore.store.values import Column, Pooled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from icecore.store.open_parts import PartIndex

Positions: TypeAlias = "NDArray[np.int64]"
Rows: TypeAlias = "NDArray[np.float32] | list[NDArray[np.float32]]"


def gather(index: PartIndex, at: Positions, column: str) -> Rows:
    """The values at positions of an index, all of which are there: (n, d) or n arrays, float32."""
    pieces = list(_pieces(index, at, column))
    pooled = [(values, local, to) for values, local, to in pieces if isinstance(values, Pooled)]
    if not pieces:
        return _empty(index, column)
    return _pooled(pooled, len(at), column) if len(pooled) == len(pieces) else _ragged(pieces, len(at))


def _pieces(index: PartIndex, at: Positions, column: str) -> Iterator[tuple[Column, Positions, Positions]]:
    """What each part gives: its values, which of them, and their places in the answer."""
    for part, to, local in index.split(at):
        values = part.column(column)
        if values is not None:  # parts without a sound column have been set aside
            part.touch()
            yield values, local, to


def _pooled(pieces: list[tuple[Pooled, Positions, Positions]], n: int, column: str) -> NDArray[np.float32]:
    widths = sorted({values.values.shape[1] for values, _, _ in pieces})
    if len(widths) > 1:
        raise StoreError(
            f"Column {column} has rows of {' and of '.join(map(str, widths))} values.",
            expected="One key is one computation, so all rows should be as long.",
            do="Give what was computed otherwise a key of its own.",
        )
    out = np.empty((n, widths[0]), np.float32)
    for values, local, to in pieces:
        values.copy_rows(local, out, to)
    return out


def _ragged(pieces: list[tuple[Column, Positions, Positions]], n: int) -> list[NDArray[np.float32]]:
    rows = [np.empty(0, np.float32)] * n
    for values, local, to in pieces:
        for i, j in zip(to, local, strict=True):
            rows[i] = values.row(j)
    return rows


def _empty(index: PartIndex, column: str) -> Rows:
    """No rows of a column, in the shape that its other rows have."""
    if not index.parts:
        return np.empty((0, 0), np.float32)
    kind = index.parts[0].table.schema.field(column).type
    return np.empty((0, kind.list_size), np.float32) if hasattr(kind, "list_size") else []
