"""Two folders change places, in one step where the system has one."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_HERE = -100  # AT_FDCWD: paths start at the working folder
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def exchange(one: Path, other: Path) -> None:
    """Each takes the other's name. Where no single step does that, a moment passes in which `other` is not there.

    Raises OSError, with everything as it was.
    """
    if _in_one_step(os.fsencode(one), os.fsencode(other)):
        return
    between = one.with_name(f"{one.name}.old")
    other.rename(between)
    try:
        one.rename(other)
    except OSError:
        between.rename(other)
        raise
    between.rename(one)


def _in_one_step(one: bytes, other: bytes) -> bool:
    try:
        libc = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(libc.renamex_np(one, other, _EXCHANGE) == 0)
        return bool(libc.renameat2(_HERE, one, _HERE, other, _EXCHANGE) == 0)
    except (OSError, AttributeError, TypeError):  # Windows, or a C library without the call
        return False
