"""Row keys of a data set's items, without reading again the files that were read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from icecore.data import Dataset, Item, row_key
from icecore.errors import BadItemError
from icecore.features.progress import Progress
from icecore.keys import DIGEST_SIZE
from icecore.store import FileRows, RowKeys, Stamp, as_keys

_THREADS = 4
_BLOCK = 2048  # items whose keys are remembered together
_SLICE = 16  # items that a thread takes at a time: texts are hashed faster than handed over


def row_keys(
    dataset: Dataset, files: FileRows, progress: Progress
) -> tuple[RowKeys, NDArray[np.bool_], dict[int, str]]:
    """The row key of every item (n), which could be read (n,), and by position the reasons of those that could not."""
    keys, known = np.zeros((len(dataset), DIGEST_SIZE), np.uint8), np.zeros(len(dataset), bool)

    def note(positions: Sequence[int], rows: Sequence[bytes | None]) -> None:
        found = [(i, row) for i, row in zip(positions, rows, strict=True) if row]
        at = [i for i, _ in found]
        keys[at], known[at] = as_keys([row for _, row in found]), True

    for block in _blocks(np.arange(len(dataset))):
        note(*_remembered(dataset, block, files))
    unknown, reasons = np.flatnonzero(~known), dict[int, str]()
    if len(unknown):
        with progress.task("hashing", len(unknown)) as task, ThreadPoolExecutor(_THREADS) as pool:
            for block in _blocks(unknown):
                items = [dataset.inputs[i] for i in block]
                found = _hashed(items, dataset.modality, files, pool)
                note(block, [row for row, _ in found])
                reasons |= {i: reason for i, (row, reason) in zip(block, found, strict=True) if row is None}
                task.advance(len(block))
    return RowKeys(keys), known, reasons


def _blocks(positions: NDArray[np.int64]) -> Iterator[list[int]]:
    return (positions[start : start + _BLOCK].tolist() for start in range(0, len(positions), _BLOCK))


def _remembered(dataset: Dataset, block: list[int], files: FileRows) -> tuple[list[int], list[bytes | None]]:
    """The positions of files, with their row keys where they are known."""
    files_of = {i: item.value for i in block if (item := dataset.inputs[i]).kind == "file"}
    return list(files_of), files.lookup(list(files_of.values())) if files_of else []


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
