"""Row keys in bulk, and finding many among many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icecore.errors import UsageError
from icecore.keys import DIGEST_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROW_TYPE = pa.binary(DIGEST_SIZE)
_BLOCK = 1 << 16  # keys looked for at a time


class RowKeys(Sequence[bytes]):
    """Row keys in a third of the memory that they take as a list of bytes.

    Args:
        keys: shape (n, 32).

    Example:
        >>> rows = RowKeys(np.arange(64, dtype=np.uint8).reshape(2, 32))
        >>> rows[1] == bytes(range(32, 64)), rows.isin([rows[1]]).tolist()
        (True, [False, True])
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, keys: NDArray[np.uint8]) -> None:
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> RowKeys: ...
    def __getitem__(self, index: int | slice) -> bytes | RowKeys:
        return RowKeys(self.keys[index]) if isinstance(index, slice) else self.keys[index].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (key.tobytes() for key in self.keys)

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence holds the same keys in the same order."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(bytes.__eq__, self, other))

    def take(self, index: NDArray[Any]) -> RowKeys:
        """The keys at these positions, or where a mask is True."""
        return RowKeys(self.keys[index])

    def isin(self, rows: Iterable[bytes]) -> NDArray[np.bool_]:
        """Which keys are among others. Shape (n,)."""
        others = as_keys(list(rows))
        return RowIndex(others).find(self.keys) >= 0 if len(others) else np.zeros(len(self), bool)

    def firsts(self) -> NDArray[np.int64]:
        """Positions of the first occurrence of every distinct key, ascending."""
        return RowIndex(self.keys).firsts()


def as_keys(rows: Sequence[bytes]) -> NDArray[np.uint8]:
    """Row keys as one array (n, 32). Raises UsageError for keys of another length."""
    if isinstance(rows, RowKeys):
        return rows.keys
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
    """Finds the first occurrence of each of many keys among many, which may lie in several blocks (n, 32) in a row.

    Keys are digests, so their first eight bytes nearly always tell them apart: these are sorted once and searched by
    bisection, and what is found is compared whole. Should two different keys begin alike, Arrow's hash table answers
    instead; it is as fast for one question, but has to be built anew for each.
    """

    def __init__(self, *blocks: NDArray[np.uint8]) -> None:
        self._blocks = [np.ascontiguousarray(block).view(np.uint64) for block in blocks if len(block)]
        self._starts = np.cumsum([0, *map(len, self._blocks)])
        heads = np.concatenate([np.empty(0, np.uint64), *(block[:, 0] for block in self._blocks)])
        order = np.argsort(heads, kind="stable")
        heads = heads[order]
        new = np.concatenate((np.ones(min(1, len(heads)), bool), heads[1:] != heads[:-1]))
        again = np.flatnonzero(~new)
        self._ambiguous = bool((self._words(order[again]) != self._words(order[again - 1])).any())
        if len(again):
            order, heads = order[new], heads[new]
        self._order, self._heads = order, heads

    def find(self, asked: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Position of the first occurrence of each key asked for (m, 32); -1 where there is none. (m,)"""
        if self._ambiguous:
            return _hashed(asked, self._all())
        at = np.full(len(asked), -1, np.int64)
        for start in range(0, len(asked) if len(self._heads) else 0, _BLOCK):
            at[start : start + _BLOCK] = self._find(asked[start : start + _BLOCK])
        return at

    def _find(self, asked: NDArray[np.uint8]) -> NDArray[np.int64]:
        words = np.ascontiguousarray(asked).view(np.uint64)
        ascending = np.argsort(words[:, 0])  # bisection is twice as fast where its steps stay in the processor's cache
        slot = np.searchsorted(self._heads, words[ascending, 0])
        at = np.empty(len(asked), np.int64)
        at[ascending] = self._order[np.minimum(slot, len(self._heads) - 1)]
        return np.where((self._words(at) == words).all(axis=1), at, -1)

    def firsts(self) -> NDArray[np.int64]:
        """Positions of the first occurrence of every distinct key, ascending."""
        if self._ambiguous:
            return np.unique(_hashed(self._all(), self._all()))
        return np.sort(self._order)

    def _words(self, at: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Keys at positions, (m, 4)."""
        if len(self._blocks) == 1:
            return self._blocks[0].take(at, axis=0)
        words = np.empty((len(at), DIGEST_SIZE // 8), np.uint64)
        number = np.searchsorted(self._starts, at, side="right") - 1
        order = np.argsort(number, kind="stable")
        for which in np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(at) else ():
            i = number[which[0]]
            words[which] = self._blocks[i].take(at[which] - self._starts[i], axis=0)
        return words

    def _all(self) -> NDArray[np.uint8]:
        return np.concatenate(self._blocks).view(np.uint8)


def _hashed(asked: NDArray[np.uint8], keys: NDArray[np.uint8]) -> NDArray[np.int64]:
    found = pc.index_in(to_arrow(asked), value_set=to_arrow(keys))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)
