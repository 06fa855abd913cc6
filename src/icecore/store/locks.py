"""Locks between processes: `flock` on a file. The system lets go of them when their holder dies.

Where there are none (Windows, some network file systems), everyone goes on without: no value that is read depends on a
lock. Locks save work, and keep files in place for readers on systems that do not do so themselves.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Literal

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Outcome = Literal["taken", "busy", "none"]
_POLL_SECONDS = 0.005


def try_lock(descriptor: int, *, shared: bool) -> Outcome:
    """Take the lock of an open file if it is free: "taken", "busy", or "none" where there are no locks."""
    if sys.platform == "win32":
        return "none"
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return "busy"
    except OSError:
        return "none"
    return "taken"


def wait_lock(descriptor: int, *, shared: bool, patience: float) -> Outcome:
    """Like `try_lock`, for up to `patience` seconds."""
    deadline = time.monotonic() + patience
    while (outcome := try_lock(descriptor, shared=shared)) == "busy" and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return outcome


@contextlib.contextmanager
def locked(path: Path, *, shared: bool, patience: float) -> Iterator[Outcome]:
    """Hold the lock of a file, which is made when it is not there. Yields what came of it; never raises for it."""
    descriptor = _open(path)
    if descriptor is None:
        yield "none"
        return
    try:
        yield wait_lock(descriptor, shared=shared, patience=patience)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # a store may be read by those who may not write to it
        with contextlib.suppress(OSError):
            return os.open(path, flags, 0o666)
    return None
