"""The pipeline that computes rows: read -> hash -> decode -> prepare -> batch -> forward -> pool.

Reading and preparing run in a few threads (Pillow lets go of the interpreter lock) a bounded number of items ahead of
the network, so memory does not follow the size of the data set.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch

from icecore.backbones import Extractor
from icecore.data import Item, load
from icecore.errors import BadItemError
from icecore.features.forward import Forward, Rows, Values, finite
from icecore.prefix import Column

_BATCHES_AHEAD = 3  # prepared for the network
_BATCHES_WAITING = 4  # for others that may share a batch with them


@dataclass(frozen=True, slots=True)
class Job:
    """One row to compute: its key and an item that has this content."""

    row: bytes
    item: Item


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a few jobs: values by column, (n, ...) each, the reasons of those that came to nothing, and how many
    inputs were cut because they are too long.
    """

    rows: list[bytes]
    values: Values
    failed: dict[bytes, str]
    cut: int = 0


Prepared: TypeAlias = tuple[bytes, Any, str]
Batch: TypeAlias = list[tuple[bytes, Any]]


def compute(
    backbone: Extractor, jobs: Iterable[Job], columns: Sequence[Column], *, batch_size: int, workers: int
) -> Generator[Computed, None, None]:
    """Compute columns for jobs, in batches. A bad item fails alone. Close it when leaving early."""
    forward = Forward(backbone, columns)
    with closing(_prepared(backbone, jobs, ahead=batch_size * _BATCHES_AHEAD, workers=workers)) as prepared:
        for batch, failed in _batches(backbone, prepared, batch_size):
            yield _computed(forward, batch, failed)


def _prepared(backbone: Extractor, jobs: Iterable[Job], *, ahead: int, workers: int) -> Generator[Prepared, None, None]:
    """(row, prepared input, reason) in order; the reason is empty where all went well."""
    waiting: deque[Future[Prepared]] = deque()
    source = iter(jobs)
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                waiting.extend(pool.submit(_prepare, backbone, job) for job in islice(source, ahead))
                while waiting:
                    done = waiting.popleft().result()
                    waiting.extend(pool.submit(_prepare, backbone, job) for job in islice(source, 1))
                    yield done
            finally:
                for future in waiting:
                    future.cancel()
    finally:
        torch.set_num_threads(threads)  # each thread has its own number, but the last one set is that of new threads


def _prepare(backbone: Extractor, job: Job) -> Prepared:
    try:
        row, decoded = load(job.item, backbone.modality)
        if row != job.row:
            return job.row, None, "the file changed while it was being read"
        return job.row, backbone.prepare(decoded), ""
    except BadItemError as error:
        return job.row, None, str(error)


def _batches(backbone: Extractor, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, dict[bytes, str]]]:
    """Group what may share a batch; what failed goes along with the next batch."""
    buckets: dict[Hashable, Batch] = defaultdict(list)
    failed: dict[bytes, str] = {}
    for row, value, reason in prepared:
        if reason:
            failed[row] = reason
        else:
            buckets[backbone.bucket(value)].append((row, value))
        for batch in _ready(buckets, size, crowded=len(failed) >= size):
            yield batch, failed
            failed = {}
    for batch in [*buckets.values()] or [[]]:
        yield batch, failed
        failed = {}


def _ready(buckets: dict[Hashable, Batch], size: int, *, crowded: bool) -> Iterator[Batch]:
    """The fullest bucket, once it is full, or once too many items wait in buckets that do not fill."""
    fullest = max(buckets, key=lambda bucket: len(buckets[bucket]), default=None)
    waiting = sum(map(len, buckets.values()))
    if fullest is not None and (len(buckets[fullest]) >= size or waiting >= size * _BATCHES_WAITING):
        yield buckets.pop(fullest)
    elif crowded:
        yield []


def _computed(forward: Forward, batch: Batch, failed: dict[bytes, str]) -> Computed:
    rows = [row for row, _ in batch]
    if not rows:
        return Computed([], {}, failed)
    try:
        values = forward([value for _, value in batch])
    except BadItemError as error:
        return Computed([], {}, failed | dict.fromkeys(rows, str(error)))
    cut = sum(getattr(value, "cut", False) for _, value in batch)
    good = finite(values, len(rows))
    if good.all():
        return Computed(rows, values, failed, cut)
    kept = [row for row, ok in zip(rows, good, strict=True) if ok]
    failed |= dict.fromkeys(set(rows) - set(kept), "the network gives values that are not finite for it")
    return Computed(kept, {column: _only(value, good) for column, value in values.items()}, failed, cut)


def _only(rows: Rows, good: np.ndarray) -> Rows:
    return rows[good] if isinstance(rows, np.ndarray) else [row for row, ok in zip(rows, good, strict=True) if ok]
