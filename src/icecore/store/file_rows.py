"""Row keys of files already seen, so that an unchanged file is not read again to be recognised.

A cache and no more: where the database is locked, damaged or cannot be written, every file is simply hashed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

from icecore.keys import RECIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SETTLED_NS = 2_000_000_000  # an edit within the same tick of the slowest clock (FAT) would not show
_BATCH = 500
_TIMEOUT_SECONDS = 1.0
_MAKE = "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp BLOB, row BLOB, seal BLOB) WITHOUT ROWID"


class Stamp(NamedTuple):
    """What tells, without reading it, that a file is unchanged; and when that was looked at."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    taken_ns: int

    @staticmethod
    def of(path: str | os.PathLike[str]) -> Stamp | None:
        """The stamp of a file as it is now; None when there is none. Take it before reading the file."""
        try:
            status = os.stat(path)  # noqa: PTH116 - five times faster than by a Path
        except (OSError, ValueError):
            return None
        return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, time.time_ns())

    @property
    def settled(self) -> bool:
        """Whether a later edit is bound to change the stamp."""
        return self.taken_ns - max(self.mtime_ns, self.ctime_ns) > _SETTLED_NS

    def text(self) -> bytes:
        """What is compared."""
        return b"%d:%d:%d:%d" % self[:4]


class Record(NamedTuple):
    """What is kept for a file, with a seal that shows when any of it has been damaged."""

    path: bytes
    stamp: bytes
    row: bytes
    seal: bytes

    @staticmethod
    def sealed(path: bytes, stamp: bytes, row: bytes) -> Record:
        """A record with its seal."""
        return Record(path, stamp, row, hashlib.sha256(b"\0".join((path, stamp, row))).digest()[:8])

    @property
    def intact(self) -> bool:
        """Whether the seal fits."""
        return all(isinstance(part, bytes) for part in self) and self == Record.sealed(*self[:3])


class FileRows:
    """Row keys by (absolute path, inode, size, times), in one SQLite file in the root of the store.

    Example:
        >>> import tempfile
        >>> FileRows(tempfile.mkdtemp()).lookup(["no such file"])
        [None]
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._file = os.path.join(root, f"files-{RECIPE}.sqlite3")  # noqa: PTH118 - a Path adds nothing here

    def lookup(self, paths: Sequence[str | os.PathLike[str]]) -> list[bytes | None]:
        """The row key of each file; None where it is not known or the file has changed."""
        names = [_name(path) for path in paths]
        known = self._known(names)
        return [_row(path, known.get(name)) for path, name in zip(paths, names, strict=True)]

    def remember(
        self, paths: Sequence[str | os.PathLike[str]], stamps: Sequence[Stamp | None], rows: Sequence[bytes]
    ) -> None:
        """Note the row keys of files.

        Args:
            paths: the files.
            stamps: `Stamp.of` each, taken before it was read. Files modified in the two seconds before are not noted.
            rows: their row keys.
        """
        records = []
        for path, stamp, row in zip(paths, stamps, rows, strict=True):
            if stamp and stamp.settled:
                records.append(Record.sealed(_name(path), stamp.text(), row))
        if records:
            self._ask(lambda base: _write(base, records))

    def _known(self, names: list[bytes]) -> dict[bytes, Record]:
        known: dict[bytes, Record] = {}
        if os.path.exists(self._file):  # noqa: PTH110 - the name is text here
            self._ask(lambda base: known.update((record.path, record) for record in _select(base, names)))
        return known

    def _ask(self, question: Callable[[sqlite3.Connection], None]) -> None:
        try:
            os.makedirs(os.path.dirname(self._file), exist_ok=True)  # noqa: PTH103, PTH120
            with contextlib.closing(sqlite3.connect(self._file, timeout=_TIMEOUT_SECONDS)) as base:
                question(base)
        except (sqlite3.OperationalError, OSError):  # locked, no room, no permission
            return
        except (sqlite3.DatabaseError, UnicodeError):  # no database any more, down to its messages: begin anew
            self._discard()

    def _discard(self) -> None:
        for suffix in ("", "-journal"):
            with contextlib.suppress(OSError):
                os.remove(self._file + suffix)  # noqa: PTH107


def _write(base: sqlite3.Connection, records: list[Record]) -> None:
    base.execute("PRAGMA synchronous = OFF")  # a power cut may cost the cache; the seals keep it from lying
    with base:
        base.execute(_MAKE)
        base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", records)


def _select(base: sqlite3.Connection, names: list[bytes]) -> Iterator[Record]:
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        marks = ",".join("?" * len(batch))
        asked = f"SELECT path, stamp, row, seal FROM files WHERE path IN ({marks})"  # noqa: S608 - question marks only
        for record in map(Record._make, base.execute(asked, batch)):
            if record.intact:
                yield record


def _row(path: str | os.PathLike[str], known: Record | None) -> bytes | None:
    stamp = Stamp.of(path) if known else None
    return known.row if known and stamp and stamp.text() == known.stamp else None


def _name(path: str | os.PathLike[str]) -> bytes:
    absolute = os.path.abspath(os.fspath(path))  # noqa: PTH100 - a thousand take a millisecond, as Paths twenty
    part = getattr(path, "part", "")  # of a file, such as a tar's member; no path holds a NUL
    return f"{absolute}\0{part}".rstrip("\0").encode("utf-8", "surrogatepass")
