"""Compaction of one table: many small parts become a few, and no row is kept twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from icecore.keys import canonical
from icecore.store.locks import locked
from icecore.store.open_parts import OpenParts, PartIndex
from icecore.store.parts import Part, time_of, write_part
from icecore.store.place import refusals
from icecore.store.reports import CompactReport
from icecore.store.upkeep import part_paths, remove, size_of, verify_table
from icecore.store.values import flat_arrow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_UPKEEP_LOCK = "upkeep.lock"
_SMALL = 64 << 20
_FULL = 256 << 20


def compact_table(folder: Path) -> CompactReport:
    """Merge small parts, and drop rows that are never read because another part holds them too.

    New parts are written before old ones go: a compaction that is killed leaves duplicates, which are read once.
    """
    with locked(folder / _UPKEEP_LOCK, shared=False, patience=0.0) as outcome, refusals(folder):
        if outcome == "busy":  # another process is at it
            return CompactReport(0, 0, 0, 0, 0, 0, 0, 0)
        return _compact(folder, damaged=len(verify_table(folder)))


def _compact(folder: Path, damaged: int) -> CompactReport:
    before = size_of(part_paths(folder))
    parts = OpenParts(folder)
    with parts.reading():
        wins = _winning_rows(parts)
        groups = list(_groups(parts.parts(), wins))
        useless = [part for part in parts.parts() if not wins[part.name].any()]
        new = {_merge(folder, group, wins) for group in groups}
    # A compaction that could remove nothing is repeated byte for byte by the next one, under the same name.
    old = [part for group in groups for part in group if part.name not in new] + useless
    removed, kept = remove(folder, [part.path for part in old])
    lost = sum(int((~wins[part.name]).sum()) for part in old)
    after = size_of(part_paths(folder))
    return CompactReport(sum(map(len, groups)), len(groups), removed, kept, lost, damaged, before, after)


def _winning_rows(parts: OpenParts) -> dict[str, NDArray[np.bool_]]:
    """For each part, which of its rows are ever read: those that are the first of their key in some column."""
    wins = {part.name: np.zeros(len(part), bool) for part in parts.parts()}
    for column in {name for part in parts.parts() for name in part.origin.about}:
        index: PartIndex = parts.index(column)
        for part, _, local in index.split(index.rows.firsts()):
            wins[part.name][local] = True
    return wins


def _groups(parts: list[Part], wins: dict[str, NDArray[np.bool_]]) -> Iterator[list[Part]]:
    """Small parts that say the same of themselves, several at a time, up to the size of a full part."""
    alike: dict[bytes, list[Part]] = {}
    for part in parts:
        if part.bytes < _SMALL and wins[part.name].any():
            group = alike.setdefault(_kind(part), [])
            if group and sum(other.bytes for other in group) + part.bytes > _FULL:
                yield from _worthwhile(group, wins)
                group.clear()
            group.append(part)
    for group in alike.values():
        yield from _worthwhile(group, wins)


def _worthwhile(group: list[Part], wins: dict[str, NDArray[np.bool_]]) -> Iterator[list[Part]]:
    if len(group) > 1 or not all(wins[part.name].all() for part in group):
        yield list(group)


def _kind(part: Part) -> bytes:
    types = [(name, str(part.table.schema.field(name).type)) for name in sorted(part.origin.about)]
    return canonical([types, part.origin.about, part.origin.written_by])


def _merge(folder: Path, group: list[Part], wins: dict[str, NDArray[np.bool_]]) -> str:
    """Write one part from several, under the time of the first, so that the same rows go on winning. Its name."""
    names = sorted(group[0].origin.about)
    tables = [part.table.select(names).take(flat_arrow(np.flatnonzero(wins[part.name]))) for part in group]
    merged = pa.concat_tables(tables).combine_chunks()
    keys = np.concatenate([part.keys[wins[part.name]] for part in group])
    columns = {name: merged.column(name).chunk(0) for name in names}
    return write_part(folder, keys, columns, group[0].origin, time_of(group[0].name))
