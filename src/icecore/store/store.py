"""The store: a folder of tables."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icecore.errors import UsageError
from icecore.store.compact import compact_table
from icecore.store.file_rows import FileRows
from icecore.store.place import default_root
from icecore.store.reports import CompactReport, Damage, PruneReport, TableInfo
from icecore.store.table import Table
from icecore.store.upkeep import describe, remove, uses, verify_table

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_TABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Store:
    """Rows by key, on disk. Any number of processes may use one at once.

    Args:
        root: its folder, made when something is first written; by default `ICECORE_STORE`, or a folder in the user's
            cache directory.

    Example:
        >>> import tempfile
        >>> Store(tempfile.mkdtemp()).tables()
        []
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = (default_root() if root is None else Path(root).expanduser()).absolute()
        self.file_rows = FileRows(self.root)
        self._tables: dict[str, Table] = {}
        self._mutex = threading.Lock()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.root,)

    def table(self, key: str, about: Mapping[str, Any]) -> Table:
        """The table of that key. Its folder is made, and `about` written to it, at the first append."""
        if not _TABLE_NAME.fullmatch(key):
            raise UsageError(
                f"Got the table key {key!r}.", expected="A table key names a folder: letters, digits, . _ -"
            )
        with self._mutex:
            return self._tables.setdefault(key, Table(self.root / key, about))

    def tables(self) -> list[TableInfo]:
        """Every table that holds something, by key."""
        return [info for folder in self._folders() if (info := describe(folder))]

    def verify(self) -> list[Damage]:
        """Read every part and compare it with the digest in its name; set aside what differs. Returns what did."""
        return [damage for folder in self._folders() for damage in verify_table(folder)]

    def compact(self) -> CompactReport:
        """Merge small parts and drop duplicate rows, table by table. Readers and writers may go on."""
        reports = [compact_table(folder) for folder in self._folders()]
        self._refresh()
        names = CompactReport.__dataclass_fields__
        return CompactReport(*(sum(getattr(report, name) for report in reports) for name in names))

    def prune(self, max_bytes: int) -> PruneReport:
        """Remove the parts used longest ago, until the rest take up at most `max_bytes`.

        What was set aside goes first. Use is noted to the minute. Raises UsageError for a negative size.
        """
        if max_bytes < 0:
            raise UsageError(f"Got a size limit of {max_bytes} bytes.", expected="A limit is 0 or more.")
        by_use = self._by_use()
        before = excess = sum(size for _, size, _ in by_use)
        victims: dict[Path, list[Path]] = {}
        for _, size, path in by_use:
            if excess <= max_bytes:
                break
            excess -= size
            victims.setdefault(path.parent, []).append(path)
        counts = [remove(folder, paths) for folder, paths in victims.items()]
        self._refresh()
        after = sum(size for _, size, _ in self._by_use())
        return PruneReport(sum(gone for gone, _ in counts), sum(kept for _, kept in counts), before, after)

    def _refresh(self) -> None:
        with self._mutex:
            tables = list(self._tables.values())
        for table in tables:
            table.refresh()

    def _by_use(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of everything that may go, what should go first in front."""
        return sorted(found for folder in self._folders() for found in uses(folder))

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(path for path in self.root.iterdir() if path.is_dir() and _TABLE_NAME.fullmatch(path.name))
