"""Which items make a batch: shuffled, those of similar length together, a view of each drawn anew every epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from icecore.training.examples import Choice

_CHUNK = 16  # batches within which items are sorted by length


def training_batches(
    rows: np.ndarray, size: int, views: int, rng: np.random.Generator, lengths: np.ndarray | None, *, equal: bool
) -> list[Choice]:
    """One epoch over some rows. Batches are of nearly one size, so that none is a single item where that can be.

    Args:
        rows: positions of the items, (n,).
        size: items in a batch.
        views: of each item.
        rng: draws order and views.
        lengths: of all items; None where they are alike.
        equal: only items of one length share a batch.
    """
    order = rng.permutation(rows)
    view = rng.integers(views, size=len(order))
    if lengths is None:
        parts = np.array_split(np.arange(len(order)), max(1, round(len(order) / size)))
    else:
        parts = _of_similar_length(lengths[order], size, equal=equal)
        rng.shuffle(parts)
    return [(order[part], view[part]) for part in parts]


def plain_batches(rows: np.ndarray, size: int, lengths: np.ndarray | None, *, equal: bool) -> list[Choice]:
    """All rows once, as they are; in order but for their lengths."""
    order = rows if lengths is None else rows[np.argsort(lengths[rows], kind="stable")]
    parts = [part for run in _runs(order, lengths, equal=equal) for part in _pieces(run, size)]
    return [(part, np.zeros(len(part), np.int64)) for part in parts]


def _of_similar_length(lengths: np.ndarray, size: int, *, equal: bool) -> list[np.ndarray]:
    chunks = np.array_split(np.arange(len(lengths)), max(1, len(lengths) // (size * _CHUNK)))
    ordered = [chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks]
    return [part for chunk in ordered for run in _runs(chunk, lengths, equal=equal) for part in _pieces(run, size)]


def _runs(order: np.ndarray, lengths: np.ndarray | None, *, equal: bool) -> Iterator[np.ndarray]:
    """The order itself, or the runs of equal length in it."""
    if lengths is None or not equal:
        yield order
    else:
        yield from np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1)


def _pieces(run: np.ndarray, size: int) -> list[np.ndarray]:
    return np.array_split(run, -(-len(run) // size)) if len(run) else []
