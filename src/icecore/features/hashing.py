"""Row keys of a data set's items, without reading again the files that were read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from icecore.data import Dataset, Item, row_key
from icecore.errors import BadItemError
from icecore.features.progress import Progress
from icecore.store import FileRows, Stamp

_THREADS = 4
_BLOCK = 2048  # items whose keys are remembered together
_SLICE = 16  # items that a thread takes at a time: texts are hashed faster than handed over


def row_keys(dataset: Dataset, files: FileRows, progress: Progress) -> tuple[list[bytes | None], dict[int, str]]:
    """The row key of every item, None for those that cannot be read, with the reasons of these by position."""
    rows = [row for block in _blocks(range(len(dataset))) for row in _remembered(dataset, block, files)]
    unknown = [i for i, row in enumerate(rows) if row is None]
    reasons: dict[int, str] = {}
    if unknown:
        with progress.task("hashing", len(unknown)) as task, ThreadPoolExecutor(_THREADS) as pool:
            for block in _blocks(unknown):
                items = [dataset.inputs[i] for i in block]
                for i, (row, reason) in zip(block, _hashed(items, dataset.modality, files, pool), strict=True):
                    rows[i] = row
                    if row is None:
                        reasons[i] = reason
                task.advance(len(block))
    return rows, reasons


def _blocks(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    return (positions[start : start + _BLOCK] for start in range(0, len(positions), _BLOCK))


def _remembered(dataset: Dataset, block: Sequence[int], files: FileRows) -> list[bytes | None]:
    rows: list[bytes | None] = [None] * len(block)
    items = [dataset.inputs[i] for i in block]
    on_disk = [i for i, item in enumerate(items) if item.kind == "file"]
    if on_disk:
        for i, row in zip(on_disk, files.lookup([items[i].value for i in on_disk]), strict=True):
            rows[i] = row
    return rows


def _hashed(
    items: Sequence[Item], modality: str, files: FileRows, pool: ThreadPoolExecutor
) -> list[tuple[bytes | None, str]]:
    """The row key of each item, or None and the reason. Those of files are remembered."""
    stamps = [Stamp.of(item.value) if item.kind == "file" else None for item in items]
    slices = [items[start : start + _SLICE] for start in range(0, len(items), _SLICE)]
    found = [one for many in pool.map(partial(_read, modality=modality), slices) for one in many]
    known = [
        (item.value, stamp, row) for item, stamp, (row, _) in zip(items, stamps, found, strict=True) if stamp and row
    ]
    files.remember([path for path, _, _ in known], [stamp for _, stamp, _ in known], [row for _, _, row in known])
    return found


def _read(items: Sequence[Item], modality: str) -> list[tuple[bytes | None, str]]:
    found: list[tuple[bytes | None, str]] = []
    for item in items:
        try:
            found.append((row_key(item, modality), ""))
        except BadItemError as error:
            found.append((None, str(error)))
    return found
