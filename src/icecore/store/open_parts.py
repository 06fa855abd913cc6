"""The parts of one table as this process sees them: mapped, indexed, and kept up with what other processes do."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.store.locks import locked
from icecore.store.parts import Part, is_part, open_part, set_aside
from icecore.store.place import refusals
from icecore.store.rows import RowIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

READERS_LOCK = "readers.lock"
_PATIENCE = 60.0  # removing parts takes milliseconds; whoever holds them up longer is stuck
_SETTLED_NS = 2_000_000_000  # the clocks of file systems tick as slowly as this


@dataclass(frozen=True, slots=True)
class PartIndex:
    """Several parts as one run of rows, the first part first."""

    parts: list[Part]
    starts: NDArray[np.int64]
    rows: RowIndex

    @staticmethod
    def of(parts: list[Part]) -> PartIndex:
        """Index these parts, which come in the order in which they win."""
        starts = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        return PartIndex(parts, starts, RowIndex(*(part.keys for part in parts)))

    def holders(self, at: NDArray[np.int64]) -> list[Part]:
        """The parts that hold any of the positions."""
        counts = np.bincount(self._number(at) + 1, minlength=1)
        return [self.parts[i - 1] for i in np.flatnonzero(counts) if i]

    def split(self, at: NDArray[np.int64]) -> Iterator[tuple[Part, NDArray[np.int64], NDArray[np.int64]]]:
        """For each part that holds any of the positions: the part, which of them, and where each lies in it."""
        number = self._number(at)
        order = np.argsort(number, kind="stable")
        edges = np.flatnonzero(np.diff(number[order], prepend=-2, append=len(self.parts) + 1))
        for begin, end in itertools.pairwise(edges):
            which = order[begin:end]
            i = number[which[0]]
            if i >= 0:
                yield self.parts[i], which, at[which] - self.starts[i]

    def _number(self, at: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        """The part of each position; -1 for what is not there."""
        number = np.searchsorted(self.starts, at, side="right") - 1
        return number.astype(np.int16 if len(self.parts) < 1 << 14 else np.int32)  # short ones are sorted by counting


class OpenParts:
    """The open parts of a folder. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: dict[str, Part] = {}
        self._ignored: set[str] = set()
        self._indexes: dict[str | None, PartIndex] = {}
        self._seen = (-1, 0)
        self._mutex = threading.RLock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep others from removing parts, and see what is there now."""
        with (
            locked(self.folder / READERS_LOCK, shared=True, patience=_PATIENCE) if self.folder.is_dir() else _nothing()
        ):
            with self._mutex, refusals(self.folder, "read"):
                self._refresh()
            yield

    def parts(self, column: str | None = None) -> list[Part]:
        """Parts that have a column (any part for None), in the order in which they win."""
        with self._mutex:
            return [part for _, part in sorted(self._parts.items()) if column is None or column in part.origin.about]

    def index(self, column: str | None) -> PartIndex:
        """The index of the rows that have a column, or of all rows."""
        with self._mutex:
            if column not in self._indexes:
                self._indexes[column] = PartIndex.of(self.parts(column))
            return self._indexes[column]

    def set_aside(self, part: Part) -> None:
        """Take a damaged part out of use, with a warning."""
        with self._mutex:
            self._parts.pop(part.name, None)
            self._indexes.clear()
            self._set_aside(part.path)

    def _set_aside(self, path: Path) -> None:
        self._ignored.add(path.name)  # where it cannot be renamed, it is at least not used
        with contextlib.suppress(OSError):
            set_aside(path)
        warnings.warn(
            f"A part of the store is damaged and was set aside; its rows will be computed again: {path}", stacklevel=2
        )

    def _refresh(self) -> None:
        seen = self._look()
        if seen is None:
            return
        names, when = seen
        gone, new = self._parts.keys() - names, names - self._parts.keys() - self._ignored
        if gone or new:
            self._indexes.clear()
        for name in gone:
            del self._parts[name]
        for name in sorted(new):
            self._open(name)
        self._seen = when  # last: what fails half-way is done again

    def _open(self, name: str) -> None:
        path = self.folder / name
        with refusals(path, "read"), contextlib.suppress(FileNotFoundError):  # removed since the folder was listed
            part = open_part(path)
            if part is None:
                self._set_aside(path)
            else:
                self._parts[name] = part

    def _look(self) -> tuple[set[str], tuple[int, int]] | None:
        """Names of the parts there are, and when that was seen; None when nothing has changed since the last time."""
        try:
            changed_ns, now_ns = self.folder.stat().st_mtime_ns, time.time_ns()
            seen_ns, looked_ns = self._seen
            if changed_ns == seen_ns and looked_ns - changed_ns > _SETTLED_NS:
                return None
            with os.scandir(self.folder) as entries:
                return {entry.name for entry in entries if is_part(entry.name)}, (changed_ns, now_ns)
        except (FileNotFoundError, NotADirectoryError):
            return set(), (-1, 0)


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield
