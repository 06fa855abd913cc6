"""Claims: so that two processes on one machine do not compute the same row.

A claim is a file of row keys, locked by its owner for as long as the owner lives: when the lock is free, the owner has
finished or died, and the claim is void. Claims are made one at a time, under a lock of their own.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
import uuid
from typing import TYPE_CHECKING

import numpy as np

from icecore.keys import DIGEST_SIZE
from icecore.store.locks import locked, try_lock, wait_lock
from icecore.store.rows import RowIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_FOLDER = "claims"
_SUFFIX = ".claim"
_PATIENCE = 10.0


class Claim:
    """What came of claiming rows.

    Attributes:
        mine: bool (n,), True for the rows that nobody else is computing: compute these.
    """

    def __init__(self, mine: NDArray[np.bool_], own: int | None, own_path: Path, others: list[int]) -> None:
        self.mine = mine
        self._own = own
        self._own_path = own_path
        self._others = others

    def wait_for_others(self, timeout: float | None = None) -> bool:
        """Wait until those who claimed the other rows have finished or died. Whether they have, within the timeout.

        The own claim is given up first, so that two who wait for each other do not stand still: commit before.
        What was claimed by others is then read, or, where its owner died, is still missing.

        Args:
            timeout: seconds; None waits as long as it takes.
        """
        self.release()
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        while self._others:
            if wait_lock(self._others[-1], shared=True, patience=deadline - time.monotonic()) == "busy":
                return False
            os.close(self._others.pop())
        return True

    def release(self) -> None:
        """Give the own claim up."""
        if self._own is not None:
            with contextlib.suppress(OSError):  # already removed by one who found it free
                self._own_path.unlink()
            os.close(self._own)
            self._own = None

    def close(self) -> None:
        """Give the own claim up and forget those of others."""
        self.release()
        while self._others:
            os.close(self._others.pop())


@contextlib.contextmanager
def claimed(table: Path, keys: NDArray[np.uint8]) -> Iterator[Claim]:
    """Claim what nobody else has claimed of these rows (n, 32), for the length of a `with` block.

    Where no claim can be made (no locks, no room, no permission) every row is one's own: a claim only saves work.
    """
    folder = table / _FOLDER
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", shared=False, patience=_PATIENCE) as outcome:
        claim = _make(folder, keys) if outcome == "taken" else _unclaimed(folder, keys)
    try:
        yield claim
    finally:
        claim.close()


def _make(folder: Path, keys: NDArray[np.uint8]) -> Claim:
    mine, others = np.ones(len(keys), bool), []
    for descriptor in _living(folder):
        theirs = RowIndex(_read(descriptor)).find(keys) >= 0
        mine &= ~theirs
        if theirs.any():
            others.append(descriptor)
        else:
            os.close(descriptor)
    path = folder / f"{uuid.uuid4().hex}{_SUFFIX}"
    return Claim(mine, _write(path, keys if mine.all() else keys[mine]), path, others)


def _unclaimed(folder: Path, keys: NDArray[np.uint8]) -> Claim:
    return Claim(np.ones(len(keys), bool), None, folder, [])


def _living(folder: Path) -> Iterator[int]:
    """Claims whose owners live, open. Those of the dead are removed."""
    for path in folder.glob(f"*{_SUFFIX}"):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:  # its owner has just removed it, or it belongs to someone else
            continue
        if try_lock(descriptor, shared=True) == "busy":
            yield descriptor
            continue
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()


def _read(descriptor: int) -> NDArray[np.uint8]:
    size = os.fstat(descriptor).st_size
    raw = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b"")) if size else b""
    return np.frombuffer(raw[: len(raw) // DIGEST_SIZE * DIGEST_SIZE], np.uint8).reshape(-1, DIGEST_SIZE)


def _write(path: Path, keys: NDArray[np.uint8]) -> int | None:
    """The claim, open and locked; None where it could not be written."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError:
        return None
    try:
        locked_ = try_lock(descriptor, shared=False) == "taken"
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(np.ascontiguousarray(keys).data)
    except OSError:
        locked_ = False
    if locked_:
        return descriptor
    os.close(descriptor)
    with contextlib.suppress(OSError):
        path.unlink()
    return None
