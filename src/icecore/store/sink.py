"""A file that knows the SHA-256 of what was written to it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_PIECE = 1 << 23


class HashingSink:
    """Writes to a file and hashes the same bytes in a second thread: both let go of the interpreter lock."""

    def __init__(self, file: IO[bytes]) -> None:
        self.closed = False
        self._file = file
        self._state = hashlib.sha256()
        self._hasher = ThreadPoolExecutor(1)

    def __enter__(self) -> HashingSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes. Returns how many."""
        view = memoryview(data).cast("B")
        for start in range(0, view.nbytes, _PIECE):
            self._write_piece(view[start : start + _PIECE])
        return view.nbytes

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """End the hashing; the file itself belongs to the caller."""
        self.closed = True
        self._hasher.shutdown()

    def digest(self) -> str:
        """SHA-256 of all bytes written, in hexadecimal."""
        return self._state.hexdigest()

    def _write_piece(self, piece: memoryview) -> None:
        if piece.nbytes < 1 << 16:  # a hand-over costs more than hashing this
            self._state.update(piece)
            self._file.write(piece)
            return
        hashed = self._hasher.submit(self._state.update, piece)
        try:
            self._file.write(piece)
        finally:
            hashed.result()
