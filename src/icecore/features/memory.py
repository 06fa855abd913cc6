"""How much memory there is for features: of the machine, or of the control group that a container runs in."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icecore.features.result import Features

_BYTES = 32  # for each number: as it is read and copied for a fold, standardised, turned, and once more for products
_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")


def too_large(features: Features, memory: int | None) -> bool:
    """Whether all columns at once, and the work on them, would take more than so many bytes.

    Args:
        features: not read yet.
        memory: the limit; None for half of what is available.
    """
    width = sum(math.prod(features.shape(column)) for column in features.columns)
    return _BYTES * len(features) * width > (available() // 2 if memory is None else memory)


def available() -> int:
    """Bytes that this process may still take. Files kept in memory count as free, for they are given back when needed.

    Example:
        >>> available() > 0
        True
    """
    return max(0, min([_of_machine(), *_of_groups()]))


def _of_machine() -> int:
    said = _number(Path("/proc/meminfo"), r"MemAvailable:\s+(\d+) kB")
    if said is not None:
        return said * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 1 << 62


def _of_groups() -> Iterator[int]:
    """What each control group that this process is in, and each above it, still allows."""
    groups = Path("/proc/self/cgroup")
    for line in groups.read_text().splitlines() if groups.exists() else ():
        _, controllers, place = line.split(":", 2)
        if controllers in {"", "memory"}:
            root = _V1 if controllers else _V2
            limit, usage = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))[
                bool(controllers)
            ]
            own = root / place.lstrip("/")
            for folder in {own, *(above for above in own.parents if above.is_relative_to(root)), root}:
                most, used = _number(folder / limit, r"(\d+)"), _number(folder / usage, r"(\d+)")
                if most is not None and used is not None:
                    cached = _number(folder / "memory.stat", r"(?m)^(?:total_)?inactive_file (\d+)") or 0
                    yield most - used + cached


def _number(path: Path, pattern: str) -> int | None:
    try:
        found = re.search(pattern, path.read_text())
    except OSError:
        return None
    return int(found[1]) if found else None
