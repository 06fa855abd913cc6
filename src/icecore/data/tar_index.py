"""What a tar holds and where: headers are read, contents are not."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from icecore.data.items import printable
from icecore.errors import DataError

_BLOCK = 512
_PACKED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "Zstandard"}


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar: its name, and where its content is."""

    name: str
    offset: int
    size: int


def members(path: str) -> Iterator[Member]:
    """The regular files of a tar, in order. Raises DataError where it is compressed, cut off or damaged."""
    try:
        with tarfile.open(path, "r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # else it would keep a kilobyte of every member
                if info.isreg() and not info.issparse():
                    yield Member(info.name, info.offset_data, info.size)
            end = tar.offset
        _require_end(path, end)
    except tarfile.TarError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise DataError(f"The tar {printable(path)} cannot be read: {error.strerror or error}.") from error


def _require_end(path: str, end: int) -> None:
    """An archive ends with zeros, or with the file; `tarfile` takes a damaged header for the end too."""
    with Path(path).open("rb") as file:
        file.seek(end)
        block = file.read(_BLOCK)
    if block.strip(b"\0"):
        raise _damaged(path, f"the header at byte {end:,} is damaged")


def _damaged(path: str, reason: str) -> DataError:
    with Path(path).open("rb") as file:
        start = file.read(2)
    if start in _PACKED:
        return DataError(
            f"The tar {printable(path)} is compressed with {_PACKED[start]}, so its members cannot be read singly.",
            do="Unpack it to a plain .tar; images and sounds are compressed already.",
        )
    return DataError(f"The tar {printable(path)} is cut off or damaged: {reason}.", do="Copy or write it again.")
