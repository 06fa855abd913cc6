"""What the upkeep of a store tells: plain values, one for each verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table, for a listing.

    Attributes:
        key: name of its folder.
        about: what its maker said of it.
        columns: what was said of each value column, by column key.
        rows: number of distinct rows.
        parts: number of files.
        bytes: their size.
        last_used: when a part was last written or read, in seconds since 1970, to the minute.
    """

    key: str
    about: dict[str, Any]
    columns: dict[str, dict[str, Any]]
    rows: int
    parts: int
    bytes: int
    last_used: float


@dataclass(frozen=True, slots=True)
class Damage:
    """A part that was found damaged and set aside: its rows are missing again."""

    table: str
    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What `prune` removed. `kept` counts parts that should have gone but were being read."""

    removed: int
    kept: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What `compact` did.

    Attributes:
        merged: old parts whose rows now lie in new ones.
        written: new parts.
        removed: old parts removed.
        kept: old parts left for the next time, because they were being read. Their rows are still read once.
        duplicates: rows dropped because another part held them already.
        damaged: parts that were found damaged, and set aside.
        bytes_before: size of all parts before.
        bytes_after: and after.
    """

    merged: int
    written: int
    removed: int
    kept: int
    duplicates: int
    damaged: int
    bytes_before: int
    bytes_after: int
