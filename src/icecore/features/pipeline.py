"""The pipeline that computes rows: read -> hash -> decode -> prepare -> batch -> forward -> pool.

Reading and preparing run in a few threads (Pillow lets go of the interpreter lock) a bounded number of items ahead of
the network, so memory does not follow the size of the data set.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.backbones import Extractor, Layer
from icecore.data import Item, load
from icecore.errors import BadItemError
from icecore.prefix import Column, pool

_BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Job:
    """One row to compute: its key and an item that has this content."""

    row: bytes
    item: Item


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a few jobs: values by column, (n, ...) each, and the reasons of those that came to nothing."""

    rows: list[bytes]
    values: dict[Column, np.ndarray]
    failed: dict[bytes, str]


def compute(
    backbone: Extractor, jobs: Iterable[Job], columns: Sequence[Column], *, batch_size: int, workers: int
) -> Iterator[Computed]:
    """Compute columns for jobs, in batches. A bad item fails alone."""
    prepared = _prepared(backbone, jobs, ahead=batch_size * _BATCHES_AHEAD, workers=workers)
    for batch, failed in _batches(backbone, prepared, batch_size):
        yield _forward(backbone, batch, columns, failed)


def _prepared(
    backbone: Extractor, jobs: Iterable[Job], *, ahead: int, workers: int
) -> Iterator[tuple[bytes, Any, str]]:
    """(row, prepared input, reason) in order; the reason is empty where all went well."""
    waiting: deque[Future[tuple[bytes, Any, str]]] = deque()
    source = iter(jobs)
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool_:
        try:
            waiting.extend(pool_.submit(_prepare, backbone, job) for job in islice(source, ahead))
            torch.set_num_threads(threads)
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool_.submit(_prepare, backbone, job) for job in islice(source, 1))
                yield done
        finally:
            for future in waiting:
                future.cancel()


def _prepare(backbone: Extractor, job: Job) -> tuple[bytes, Any, str]:
    try:
        row, decoded = load(job.item, backbone.modality)
        if row != job.row:
            return job.row, None, "the file changed while it was being read"
        return job.row, backbone.prepare(decoded), ""
    except BadItemError as error:
        return job.row, None, str(error)


def _batches(
    backbone: Extractor, prepared: Iterable[tuple[bytes, Any, str]], size: int
) -> Iterator[tuple[list[tuple[bytes, Any]], dict[bytes, str]]]:
    """Group what may share a batch; what failed goes along with the next batch."""
    buckets: dict[Hashable, list[tuple[bytes, Any]]] = defaultdict(list)
    failed: dict[bytes, str] = {}
    for row, value, reason in prepared:
        if reason:
            failed[row] = reason
            continue
        bucket = buckets[backbone.bucket(value)]
        bucket.append((row, value))
        if len(bucket) >= size:
            yield bucket[:], failed
            bucket.clear()
            failed = {}
    for bucket in buckets.values():
        if bucket:
            yield bucket, failed
            failed = {}
    if failed:
        yield [], failed


def _forward(
    backbone: Extractor, batch: list[tuple[bytes, Any]], columns: Sequence[Column], failed: dict[bytes, str]
) -> Computed:
    rows = [row for row, _ in batch]
    if not rows:
        return Computed([], {}, failed)
    values = _run(backbone, [value for _, value in batch], columns)
    finite = np.logical_and.reduce([np.isfinite(v.reshape(len(rows), -1)).all(1) for v in values.values()])
    for row, ok in zip(rows, finite, strict=True):
        if not ok:
            failed[row] = "the network gives values that are not finite for it"
    if finite.all():
        return Computed(rows, values, failed)
    kept = [row for row, ok in zip(rows, finite, strict=True) if ok]
    return Computed(kept, {column: value[finite] for column, value in values.items()}, failed)


def _run(backbone: Extractor, inputs: list[Any], columns: Sequence[Column]) -> dict[Column, np.ndarray]:
    """Forward and pool; a batch that does not fit in memory is halved."""
    try:
        return _pooled(backbone, inputs, columns)
    except (RuntimeError, MemoryError) as error:
        if len(inputs) == 1 or not _out_of_memory(error):
            raise
    half = len(inputs) // 2
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    parts = [_run(backbone, inputs[:half], columns), _run(backbone, inputs[half:], columns)]
    return {column: np.concatenate([part[column] for part in parts]) for column in columns}


def _pooled(backbone: Extractor, inputs: list[Any], columns: Sequence[Column]) -> dict[Column, np.ndarray]:
    """One pass for all columns. A layer pooled in several ways is reduced to all of them at once."""
    ways: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        ways[column.layer].append(column.pooling)
    kept: dict[Column, Tensor] = {}

    def reduce(layer: Layer, value: Tensor) -> Tensor:
        for pooling in ways[layer.name]:
            pooled = pool(layer, value, pooling)
            kept[Column(layer.name, pooling)] = pooled.clone() if _shares(pooled, value) else pooled
        return value.new_empty(0)

    backbone.run(inputs, list(ways), reduce)
    return {column: kept[column].cpu().numpy() for column in columns}


def _shares(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )
