"""Parts of files: members of a tar, read where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some bytes of a file, read by seek when they are asked for.

    Attributes:
        path: the file.
        offset: where the part begins.
        size: how many bytes it has.
        name: as shown to people.
    """

    path: str
    offset: int
    size: int
    name: str

    def __fspath__(self) -> str:
        """The whole file: an unchanged file has unchanged parts."""
        return self.path

    @property
    def part(self) -> str:
        """Which part of the file this is: tells the parts of one path apart."""
        return f"{self.offset}+{self.size}"

    def read_bytes(self) -> bytes:
        """The content. Raises OSError where the file cannot be read or ends before the part does."""
        with Path(self.path).open("rb") as file:
            file.seek(self.offset)
            raw = file.read(self.size)
        if len(raw) < self.size:
            raise OSError(f"{self.path} ends before it does")
        return raw
