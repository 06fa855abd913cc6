"""The pipeline that computes rows: read -> hash -> decode -> prepare -> batch -> forward -> pool.

A few threads read and prepare (decoders and tokenizers let go of the interpreter lock) a bounded number of items ahead
of the network, so memory does not follow the size of the data set. What comes out is written by a thread of its own
(`icecore.features.writing`), so reading, forward and writing overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch

from icecore.backbones import Extractor
from icecore.data import Item, load, remarks
from icecore.errors import BadBatchError, BadItemError
from icecore.features.ahead import Ahead
from icecore.features.batching import WINDOW_ITEMS, Batch, Prepared, batches, measured
from icecore.features.flight import overlapped
from icecore.features.forward import Forward, finite
from icecore.features.pace import Pace
from icecore.features.stages import FORWARD, IDLE, PREPARE, Stages
from icecore.prefix import Column
from icecore.prefix.engines import Rows, Runner, Values

_BATCHES_AHEAD = 3  # prepared for the network
_TOGETHER = 64  # texts that a tokenizer is given at once


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


def compute(
    backbone: Extractor,
    jobs: Iterable[Job],
    columns: Sequence[Column],
    *,
    batch_size: int,
    workers: int | None = None,
    stages: Stages | None = None,
    runner: Runner | None = None,
) -> Generator[Computed, None, None]:
    """Compute columns for jobs, in batches, by the eager engine or another. A bad item fails alone.

    So many batches are under way at once as the engine takes.

    Args:
        backbone: the frozen network.
        jobs: drawn in other threads, one at a time.
        columns: what is wanted of each.
        batch_size: see `icecore.features.batching.batches`.
        workers: threads that read and prepare; None follows what the stages cost.
        stages: clocks that are kept going.
        runner: the engine, where it is not the eager one.
    """
    stages = stages or Stages()
    forward = Forward(backbone, columns, runner)
    results = partial(_results, forward, stages)
    with (
        closing(_prepared(backbone, jobs, batch_size, workers, stages)) as prepared,
        closing(overlapped(results, batches(backbone, prepared, batch_size), forward.in_flight)) as done,
    ):
        for computed in done:
            yield from computed


def _prepared(
    backbone: Extractor, jobs: Iterable[Job], batch_size: int, workers: int | None, stages: Stages
) -> Generator[Prepared, None, None]:
    """Prepared inputs in order."""
    ahead = WINDOW_ITEMS if measured(backbone) else batch_size * _BATCHES_AHEAD
    pace = Pace(stages, workers)
    threads = torch.get_num_threads()
    work = Ahead(
        partial(_prepare, backbone, stages, pace),
        _slices(iter(jobs), backbone, pace, most=max(1, ahead // 4)),
        ahead=ahead,
        threads=pace.threads,
        start=partial(torch.set_num_threads, 1),
    )
    try:
        with work:
            while (slice_ := _next(work, stages)) is not None:
                pace.took(len(slice_))
                if work.threads != pace.threads:
                    work.threads = pace.threads
                yield from slice_
    finally:
        torch.set_num_threads(threads)  # each thread has its own number, but the last one set is that of new threads


def prepared_batch(backbone: Extractor, jobs: Sequence[Job]) -> list[Any]:
    """Prepared inputs of jobs that may share a batch with the first good one; empty where none is good."""
    good = [one for one in _prepared(backbone, jobs, len(jobs), 1, Stages()) if not one.reason]
    return [one.value for one in good if backbone.bucket(one.value) == backbone.bucket(good[0].value)]


def _next(work: Iterator[Batch], stages: Stages) -> Batch | None:
    with stages.clock(IDLE):
        return next(work, None)


def _slices(jobs: Iterator[Job], backbone: Extractor, pace: Pace, *, most: int) -> Iterator[list[Job]]:
    """What a thread takes at a time."""
    together = _TOGETHER if hasattr(backbone, "prepare_all") else 1
    while jobs_ := list(islice(jobs, min(most, max(together, pace.slice)))):
        yield jobs_


def _prepare(backbone: Extractor, stages: Stages, pace: Pace, jobs: Sequence[Job]) -> Batch:
    """What comes of each job. A network with `prepare_all` is given all that could be decoded at once."""
    loaded = [_loaded(backbone.modality, job, stages) for job in jobs]
    decoded = [one.value for one in loaded if not one.reason]
    every = getattr(backbone, "prepare_all", partial(map, backbone.prepare))
    with stages.clock(PREPARE):
        made = iter(every(decoded))
        found = [one if one.reason else _made(one, made) for one in loaded]
    pace.prepared(len(jobs))
    return found


def _loaded(modality: str, job: Job, stages: Stages) -> Prepared:
    """A decoded input."""
    try:
        with remarks() as heard:
            row, decoded = load(job.item, modality, stages.clock)
    except BadItemError as error:
        return Prepared(job.row, reason=str(error))
    if row != job.row:
        return Prepared(job.row, reason="the file changed while it was being read")
    return Prepared(row, decoded, tuple(heard))


def _made(one: Prepared, made: Iterator[Any]) -> Prepared:
    try:
        with remarks() as heard:
            value = next(made)
    except BadItemError as error:
        return Prepared(one.row, reason=str(error))
    return Prepared(one.row, value, (*one.remarks, *heard))


def _results(forward: Forward, stages: Stages, given: tuple[Batch, dict[bytes, str]]) -> list[Computed]:
    with stages.clock(FORWARD):
        return list(_computed(forward, *given))


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
