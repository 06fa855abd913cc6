"""Row keys in bulk, and finding many among many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icecore.errors import UsageError
from icecore.keys import DIGEST_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROW_TYPE = pa.binary(DIGEST_SIZE)


def as_keys(rows: Sequence[bytes]) -> NDArray[np.uint8]:
    """Row keys as one array (n, 32). Raises UsageError for keys of another length."""
    wrong = set(map(len, rows)) - {DIGEST_SIZE}
    if wrong:
        raise UsageError(
            f"Got a row key of {min(wrong)} bytes.",
            expected=f"A row key is a digest of {DIGEST_SIZE} bytes.",
            do="Make it with icecore.keys.",
        )
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, DIGEST_SIZE)


def to_arrow(keys: NDArray[np.uint8]) -> Any:
    """Keys (n, 32) as a fixed_size_binary array, without a copy."""
    buffer = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(ROW_TYPE, len(keys), [None, buffer])


def from_arrow(array: Any) -> NDArray[np.uint8]:
    """Keys (n, 32) of a fixed_size_binary array, without a copy."""
    keys = np.frombuffer(array.buffers()[1], np.uint8, len(array) * DIGEST_SIZE, array.offset * DIGEST_SIZE)
    return keys.reshape(-1, DIGEST_SIZE)


class RowIndex:
    """Finds the first occurrence of each of many keys among many.

    Keys are digests, so their first eight bytes nearly always tell them apart: these are sorted once and searched by
    bisection, and what is found is compared whole. Should two different keys begin alike, Arrow's hash table answers
    instead; it is as fast for one question, but has to be built anew for each.
    """

    def __init__(self, keys: NDArray[np.uint8]) -> None:
        self._keys = np.ascontiguousarray(keys)
        words = self._keys.view(np.uint64)
        order = np.argsort(words[:, 0], kind="stable")
        heads = words[order, 0]
        new = np.concatenate((np.ones(min(1, len(heads)), bool), heads[1:] != heads[:-1]))
        again = np.flatnonzero(~new)
        self._ambiguous = bool((words[order[again]] != words[order[again - 1]]).any())
        self._order, self._heads = order[new], heads[new]

    def find(self, asked: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Position of the first occurrence of each key asked for (m, 32); -1 where there is none. (m,)"""
        if self._ambiguous:
            return _hashed(asked, self._keys)
        if not len(self._heads):
            return np.full(len(asked), -1, np.int64)
        words = np.ascontiguousarray(asked).view(np.uint64)
        ascending = np.argsort(words[:, 0])  # bisection is twice as fast where its steps stay in the processor's cache
        slot = np.searchsorted(self._heads, words[ascending, 0])
        at = np.empty(len(asked), np.int64)
        at[ascending] = self._order[np.minimum(slot, len(self._heads) - 1)]
        same = self._keys.view(np.uint64).take(at, axis=0) == words
        return np.where(same.all(axis=1), at, -1)

    def firsts(self) -> NDArray[np.int64]:
        """Positions of the first occurrence of every distinct key, ascending."""
        if self._ambiguous:
            return np.unique(_hashed(self._keys, self._keys))
        return np.sort(self._order)


def _hashed(asked: NDArray[np.uint8], keys: NDArray[np.uint8]) -> NDArray[np.int64]:
    found = pc.index_in(to_arrow(asked), value_set=to_arrow(keys))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)
