"""Where the store lies, and how a file comes to lie in it: written aside, flushed, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from icecore.errors import StoreError
from icecore.store.sink import HashingSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPORARY = ".tmp"
_STALE_SECONDS = 3600.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def default_root() -> Path:
    """The folder of the store where none is named: `ICECORE_STORE`, else a folder in the user's cache directory."""
    named = os.environ.get("ICECORE_STORE")
    return Path(named).expanduser() if named else _user_cache() / "icecore" / "store"


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@contextlib.contextmanager
def written_aside(folder: Path, name: Callable[[str], str]) -> Iterator[HashingSink]:
    """A file that appears whole in `folder`, or not at all.

    Yields the open file. On leaving it is flushed to the disk and takes the name that `name` makes of the SHA-256 of
    its bytes (hexadecimal). Whatever goes wrong on the way, nothing half-written is left. Raises StoreError.
    """
    temporary = folder / f".{uuid.uuid4().hex}{TEMPORARY}"
    try:
        with refusals(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file, HashingSink(file) as sink:
                yield sink
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name(sink.digest()))
            flush_folder(folder)
    finally:
        with contextlib.suppress(OSError):  # it has been renamed, or the folder was never there
            temporary.unlink()


@contextlib.contextmanager
def refusals(folder: Path, verb: str = "write to") -> Iterator[None]:
    """Turn an error of the file system into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"The store could not {verb} {folder}: {reason}.", do=_advice(error.errno, verb)) from error


def _advice(number: int | None, verb: str) -> str:
    elsewhere = "or put the store elsewhere with --store or ICECORE_STORE."
    if number in _FULL:
        return f"Free some space, shrink the store with `icecore store prune`, {elsewhere}"
    if number in _REFUSED:
        return f"Get permission to {verb} it, {elsewhere}"
    return f"Check this path, {elsewhere}"


def flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Remove what dead writers left: temporary files older than an hour."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError):  # its writer may finish, or another process may tidy up, at this moment
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
