"""A line about each table of a store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from icecore.store import TableInfo


def table_line(info: TableInfo, size: Callable[[float], str]) -> tuple[str, int, str, int, str, str]:
    """Network, columns, rows, parts, size and last use, for a table on a terminal."""
    used = datetime.fromtimestamp(info.last_used).astimezone().strftime("%Y-%m-%d %H:%M")
    network = str(info.about.get("id", info.key))
    return network, len(info.columns), f"{info.rows:,}", info.parts, size(info.bytes), used
