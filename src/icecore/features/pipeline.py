"""The pipeline that computes rows: read -> hash -> decode -> prepare -> batch -> forward -> pool.

Reading and preparing run in a few threads (Pillow lets go of the interpreter lock) a bounded number of items ahead of
the network, so memory does not follow the size of the data set.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch

from icecore.backbones import Extractor
from icecore.data import Item, load, remarks
from icecore.errors import BadBatchError, BadItemError
from icecore.features.flight import overlapped
from icecore.features.forward import Forward, finite
from icecore.prefix import Column
from icecore.prefix.engines import Rows, Runner, Values

_BATCHES_AHEAD = 3  # prepared for the network
_BATCHES_WAITING = 4  # for others that may share a batch with them


@dataclass(frozen=True, slots=True)
class Job:
    """One row to compute: its key and an item that has this content."""

    row: bytes
    item: Item


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a few jobs: values by column, (n, ...) each, the reasons of those that came to nothing, and what was
    remarked of how many of the others.
    """

    rows: list[bytes]
    values: Values
    failed: dict[bytes, str]
    remarks: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row with its prepared input and what was remarked of it; or the reason why there is none."""

    row: bytes
    value: Any = None
    remarks: tuple[str, ...] = ()
    reason: str = ""


Batch: TypeAlias = list[Prepared]


def compute(
    backbone: Extractor,
    jobs: Iterable[Job],
    columns: Sequence[Column],
    *,
    batch_size: int,
    workers: int,
    runner: Runner | None = None,
) -> Generator[Computed, None, None]:
    """Compute columns for jobs, in batches, by the eager engine or another. A bad item fails alone.

    So many batches are under way at once as the engine takes. Close it when leaving early.
    """
    forward = Forward(backbone, columns, runner)
    with closing(_prepared(backbone, jobs, ahead=batch_size * _BATCHES_AHEAD, workers=workers)) as prepared:
        batches = _batches(backbone, prepared, batch_size)
        given = overlapped(lambda given: list(_computed(forward, *given)), batches, forward.in_flight)
        with closing(given) as results:
            for computed in results:
                yield from computed


def _prepared(backbone: Extractor, jobs: Iterable[Job], *, ahead: int, workers: int) -> Generator[Prepared, None, None]:
    """Prepared inputs in order."""
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


def prepared_batch(backbone: Extractor, jobs: Sequence[Job]) -> list[Any]:
    """Prepared inputs of jobs that may share a batch with the first good one; empty where none is good."""
    good = [one for one in _prepared(backbone, jobs, ahead=len(jobs), workers=1) if not one.reason]
    return [one.value for one in good if backbone.bucket(one.value) == backbone.bucket(good[0].value)]


def _prepare(backbone: Extractor, job: Job) -> Prepared:
    try:
        with remarks() as heard:
            row, decoded = load(job.item, backbone.modality)
            if row != job.row:
                return Prepared(job.row, reason="the file changed while it was being read")
            return Prepared(row, backbone.prepare(decoded), tuple(heard))
    except BadItemError as error:
        return Prepared(job.row, reason=str(error))


def _batches(backbone: Extractor, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, dict[bytes, str]]]:
    """Group what may share a batch; what failed goes along with the next batch."""
    buckets: dict[Hashable, Batch] = defaultdict(list)
    failed: dict[bytes, str] = {}
    for one in prepared:
        if one.reason:
            failed[one.row] = one.reason
        else:
            buckets[backbone.bucket(one.value)].append(one)
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


def _computed(forward: Forward, batch: Batch, failed: dict[bytes, str]) -> Iterator[Computed]:
    """What comes of a batch: one piece, or several where it had to be halved to find a bad item."""
    rows = [one.row for one in batch]
    if not rows:
        yield Computed([], {}, failed)
        return
    try:
        values = forward([one.value for one in batch])
    except BadBatchError:
        half = len(batch) // 2
        yield from _computed(forward, batch[:half], failed)
        yield from _computed(forward, batch[half:], {})
    except BadItemError as error:
        yield Computed([], {}, failed | dict.fromkeys(rows, str(error)))
    else:
        yield _finite(batch, values, failed)


def _finite(batch: Batch, values: Values, failed: dict[bytes, str]) -> Computed:
    good = finite(values, len(batch))
    kept = [one for one, ok in zip(batch, good, strict=True) if ok]
    said = Counter(what for one in kept for what in one.remarks)
    if not good.all():
        values = {column: _only(value, good) for column, value in values.items()}
        reason = "the network gives values that are not finite for it"
        failed |= {one.row: reason for one, ok in zip(batch, good, strict=True) if not ok}
    return Computed([one.row for one in kept], values, failed, said)


def _only(rows: Rows, good: np.ndarray) -> Rows:
    return rows[good] if isinstance(rows, np.ndarray) else [row for row, ok in zip(rows, good, strict=True) if ok]
