"""Row keys of a data set's items, without reading again the files that were read before."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from icecore.data import BadItem, Dataset, Item, row_key
from icecore.errors import BadItemError
from icecore.store import FileRows, Stamp

_THREADS = 4
_TOGETHER = 4096


def row_keys(dataset: Dataset, files: FileRows) -> tuple[list[bytes | None], list[BadItem]]:
    """The row key of every item, None for those that cannot be read, with the reasons of these."""
    found: list[bytes | None] = []
    bad: list[BadItem] = []
    for start in range(0, len(dataset), _TOGETHER):
        items = [dataset.inputs[i] for i in range(start, min(start + _TOGETHER, len(dataset)))]
        found += _keys(items, files, dataset.modality, bad)
    return found, bad


def _keys(items: Sequence[Item], files: FileRows, modality: str, bad: list[BadItem]) -> list[bytes | None]:
    rows: list[bytes | None] = [None] * len(items)
    on_disk = [i for i, item in enumerate(items) if item.kind == "file"]
    for i, row in zip(on_disk, files.lookup([items[i].value for i in on_disk]), strict=True):
        rows[i] = row
    fresh = [i for i, row in enumerate(rows) if row is None]
    stamps = {i: Stamp.of(items[i].value) for i in fresh if items[i].kind == "file"}
    with ThreadPoolExecutor(_THREADS) as pool:
        read = pool.map(partial(_read, modality=modality), (items[i] for i in fresh))
        for i, (row, reason) in zip(fresh, read, strict=True):
            rows[i] = row
            if row is None:
                bad.append(BadItem(items[i].row, items[i].name, reason))
    known = [(i, row) for i in stamps if (row := rows[i]) is not None]
    files.remember([items[i].value for i, _ in known], [stamps[i] for i, _ in known], [row for _, row in known])
    return rows


def _read(item: Item, modality: str) -> tuple[bytes | None, str]:
    try:
        return row_key(item, modality), ""
    except BadItemError as error:
        return None, str(error)
