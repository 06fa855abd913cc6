"""Upkeep of one table: list, verify, remove. Readers may be at work all the while."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from icecore.store.locks import locked
from icecore.store.open_parts import READERS_LOCK, OpenParts
from icecore.store.parts import ASIDE, DAMAGED, damage_in, is_part, set_aside
from icecore.store.place import remove_stale
from icecore.store.reports import Damage, TableInfo
from icecore.store.table import ABOUT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


_READERS_PATIENCE = 2.0  # a read takes milliseconds to seconds; what is kept goes the next time


def part_paths(folder: Path) -> list[Path]:
    """The parts of a table, in the order in which they win."""
    return sorted(path for path in folder.iterdir() if is_part(path.name))


def uses(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """(last use, bytes, path) of what can be removed: the parts, and what was set aside, as if never used."""
    remove_stale(folder)
    for path in folder.iterdir():
        if is_part(path.name) or path.suffix in {ASIDE, DAMAGED}:
            with contextlib.suppress(FileNotFoundError):  # removed by another process
                status = path.stat()
                yield status.st_mtime if is_part(path.name) else 0.0, status.st_size, path


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of files, without those that another process has removed."""
    size = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def describe(folder: Path) -> TableInfo | None:
    """One table, for a listing; None when there is nothing in it."""
    parts = OpenParts(folder)
    with parts.reading():
        there = parts.parts()
        rows = len(parts.index(None).rows.firsts())
    if not there:
        return None
    columns = {name: about for part in reversed(there) for name, about in part.origin.about.items()}
    size, used = sum(part.bytes for part in there), max(part.last_used for part in there)
    return TableInfo(folder.name, _about(folder), columns, rows, len(there), size, used)


def verify_table(folder: Path) -> list[Damage]:
    """Read every part whole; set aside what is not as it was written; remove what dead writers left."""
    remove_stale(folder)
    found = []
    for path in part_paths(folder):
        with contextlib.suppress(FileNotFoundError):  # removed by another process
            reason = damage_in(path)
            if reason:
                set_aside(path)
                found.append(Damage(folder.name, path.name, reason))
    return found


def remove(folder: Path, paths: Iterable[Path]) -> tuple[int, int]:
    """Remove parts, unless they are being read. Returns how many were removed, and how many kept."""
    removed = kept = 0
    with locked(folder / READERS_LOCK, shared=False, patience=_READERS_PATIENCE) as outcome:
        for path in paths:
            gone = outcome != "busy" and _unlink(path)
            removed, kept = removed + gone, kept + (not gone)
    return removed, kept


def _unlink(path: Path) -> bool:
    """Whether a file is gone. Windows keeps what is mapped."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / ABOUT_FILE).read_bytes())
    except (OSError, ValueError):  # a description is no reason to fail a listing
        return {}
    return about if isinstance(about, dict) else {}
