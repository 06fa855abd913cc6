"""Batches: which prepared inputs go through the network together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from icecore.backbones import Extractor

STEPS = 64  # of a text, for each item of the batch size: what a batch of texts may hold, padding included
WINDOW_ITEMS = 4096  # texts that are sorted by length together
_WINDOW_STEPS = 1 << 18
_BATCHES_WAITING = 4  # for others that may share a batch with them


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row with its prepared input and what was remarked of it; or the reason why there is none."""

    row: bytes
    value: Any = None
    remarks: tuple[str, ...] = ()
    reason: str = ""


Batch: TypeAlias = list[Prepared]
Failed: TypeAlias = dict[bytes, str]


def measured(backbone: Extractor) -> bool:
    """Whether a batch of this network is measured by its steps: inputs of any lengths are padded to share one."""
    return bool(getattr(backbone, "measured", False))


def batches(backbone: Extractor, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, Failed]]:
    """Group what may share a batch; what failed goes along with the next batch.

    Of inputs that are counted, at most `size` from one bucket. Of inputs that are measured (texts), so many that they
    have at most `size` times 64 steps, padding included, taken from a window of 4,096 that is sorted by length: padding
    is little then, and long texts do not need more memory than short ones.
    """
    return _measured(prepared, size * STEPS, size) if measured(backbone) else _counted(backbone, prepared, size)


def _measured(prepared: Iterable[Prepared], budget: int, most_failed: int) -> Iterator[tuple[Batch, Failed]]:
    window: Batch = []
    failed: Failed = {}
    steps = 0
    for one in prepared:
        if one.reason:
            failed[one.row] = one.reason
            if len(failed) >= most_failed:
                yield [], failed
                failed = {}
            continue
        window.append(one)
        windows, longest = one.value.shape
        steps += windows * longest
        if len(window) >= WINDOW_ITEMS or steps >= _WINDOW_STEPS:
            yield from _with(failed, _sorted(window, budget))
            window, failed, steps = [], {}, 0
    yield from _with(failed, _sorted(window, budget))


def _with(failed: Failed, found: Iterable[Batch]) -> Iterator[tuple[Batch, Failed]]:
    for batch in found:
        yield batch, failed
        failed = {}
    if failed:
        yield [], failed


def _sorted(window: Batch, budget: int) -> Iterator[Batch]:
    """The longest first: what does not fit in memory is found at once."""
    batch: Batch = []
    rows = longest = 0
    for one in sorted(window, key=lambda one: one.value.shape[1], reverse=True):
        windows, steps = one.value.shape
        if batch and (rows + windows) * longest > budget:
            yield batch
            batch, rows = [], 0
        longest = steps if not batch else longest
        batch.append(one)
        rows += windows
    if batch:
        yield batch


def _counted(backbone: Extractor, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, Failed]]:
    buckets: dict[Hashable, Batch] = defaultdict(list)
    failed: Failed = {}
    for one in prepared:
        if one.reason:
            failed[one.row] = one.reason
        else:
            buckets[backbone.bucket(one.value)].append(one)
        for batch in _ready(buckets, size, crowded=len(failed) >= size):
            yield batch, failed
            failed = {}
    yield from _with(failed, buckets.values())


def _ready(buckets: dict[Hashable, Batch], size: int, *, crowded: bool) -> Iterator[Batch]:
    """The fullest bucket, once it is full, or once too many items wait in buckets that do not fill."""
    fullest = max(buckets, key=lambda bucket: len(buckets[bucket]), default=None)
    waiting = sum(map(len, buckets.values()))
    if fullest is not None and (len(buckets[fullest]) >= size or waiting >= size * _BATCHES_WAITING):
        yield buckets.pop(fullest)
    elif crowded:
        yield []
