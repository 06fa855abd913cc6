"""One part: an Arrow IPC file of rows and value columns, which never changes once it has its name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from pyarrow import ipc

from icecore.keys import canonical
from icecore.store import rows as row_keys
from icecore.store.place import written_aside
from icecore.store.values import Column, column_from_arrow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

ROW = "row"
ASIDE = ".aside"
DAMAGED = ".damaged"
_NAME = re.compile(r"(\d{20})-([0-9a-f]{16})\.arrow")
_TOUCH_SECONDS = 60.0


class Origin(NamedTuple):
    """What a part says of itself: what each column is, and by what it was written."""

    about: dict[str, dict[str, Any]]
    written_by: dict[str, str]


def is_part(name: str) -> bool:
    """Whether a file of this name is a part."""
    return _NAME.fullmatch(name) is not None


def time_of(name: str) -> int:
    """When a part says it was written, in nanoseconds since 1970."""
    return int(name[:20])


def write_part(
    folder: Path, keys: NDArray[np.uint8], columns: Mapping[str, Any], origin: Origin, time_ns: int | None = None
) -> str:
    """Write one part, whole or not at all. Returns its name.

    Args:
        folder: where; made when it is not there.
        keys: row keys (n, 32).
        columns: one Arrow array (n) for each column.
        origin: what the part says of itself.
        time_ns: the time in its name, which decides between duplicates; now by default.
    """
    fields = [pa.field(ROW, row_keys.ROW_TYPE, nullable=False)]
    fields += [_field(name, array, origin.about[name], keys) for name, array in columns.items()]
    schema = pa.schema(fields, metadata={"written_by": canonical(origin.written_by)})
    batch = pa.RecordBatch.from_arrays([row_keys.to_arrow(keys), *columns.values()], schema=schema)
    names: list[str] = []

    def name(digest: str) -> str:
        names.append(f"{time.time_ns() if time_ns is None else time_ns:020d}-{digest[:16]}.arrow")
        return names[0]

    with written_aside(folder, name) as sink, ipc.new_file(pa.PythonFile(sink, mode="w"), schema) as writer:
        writer.write_batch(batch)
    return names[0]


def _field(name: str, array: Any, about: Mapping[str, Any], keys: NDArray[np.uint8]) -> Any:
    crc32 = _crc32(name, keys, column_from_arrow(array))
    return pa.field(name, array.type, metadata={"about": canonical(about), "crc32": crc32})


def _crc32(name: str, keys: NDArray[np.uint8], column: Column) -> bytes:
    """Checksum of a column, of its name, and of the rows that it belongs to, so that these cannot slip."""
    return b"%08x" % column.checksum(zlib.crc32(name.encode(), zlib.crc32(keys.data)))


def open_part(path: Path) -> Part | None:
    """Map a part into memory. Reads its outline only. None when it cannot be understood: it is damaged.

    Raises OSError when it is gone or may not be read, which is no damage.
    """
    try:
        return Part(path, path.stat(), _mapped(path))
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return None


class Part:
    """An open part. `Part.column` checks the values at their first use.

    Attributes:
        table: its content, as an Arrow table of one chunk that is mapped into memory.
        keys: its row keys (n, 32), likewise.
        origin: what it says of itself.
        bytes: its size.
        last_used: when it was last written or read, in seconds since 1970, to the minute.
    """

    def __init__(self, path: Path, status: os.stat_result, table: Any) -> None:
        self.path = path
        self.name = path.name
        self.bytes = status.st_size
        self.last_used = status.st_mtime
        self.table = table
        self.keys = row_keys.from_arrow(table.column(ROW).chunk(0))
        self.origin = _origin_of(table.schema)
        self._sound: dict[str, Column | None] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def column(self, name: str) -> Column | None:
        """A column, without a copy; None when its bytes are not those that were written. Checked at the first use."""
        if name not in self._sound:
            self._sound[name] = self._checked(name)
        return self._sound[name]

    def touch(self) -> None:
        """Say that the part was used, at most once a minute."""
        if time.time() - self.last_used > _TOUCH_SECONDS:
            self.last_used = time.time()
            with contextlib.suppress(OSError):  # a store that may only be read, or a part removed at this moment
                os.utime(self.path)

    def _checked(self, name: str) -> Column | None:
        try:
            column = column_from_arrow(self.table.column(name).chunk(0))
        except (pa.ArrowException, ValueError, KeyError):
            return None
        written = (self.table.schema.field(name).metadata or {}).get(b"crc32")
        return column if _crc32(name, self.keys, column) == written else None


def damage_in(path: Path) -> str | None:
    """Read a whole part and compare it with the digest in its name. Returns what is wrong, or None."""
    match = _NAME.fullmatch(path.name)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if match and found.startswith(match[2]):
        return None
    return "its bytes are not those that were written"


def set_aside(path: Path, suffix: str = DAMAGED) -> None:
    """Take a part out of use, and keep it for a look. Raises OSError where that is not allowed."""
    path.rename(path.with_name(path.name + suffix))


def _mapped(path: Path) -> Any:
    name = str(path) if sys.platform == "win32" else os.fsencode(path)  # any name that the system allows
    with pa.memory_map(name) as source:
        table = ipc.open_file(source).read_all()
    table.validate()
    return table


def _origin_of(schema: Any) -> Origin:
    said = {field.name: (field.metadata or {}).get(b"about", b"{}") for field in schema if field.name != ROW}
    written_by = (schema.metadata or {}).get(b"written_by", b"{}")
    return Origin({name: json.loads(text) for name, text in said.items()}, json.loads(written_by))
