"""Which items are on the page: all, or where there are too many, those that some section shows and a fair sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

MOST = 4000
_IN_A_CELL = 40


def chosen(total: int, featured: Iterable[int], codes: Sequence[np.ndarray], *, most: int = MOST) -> np.ndarray:
    """Places of the items on the page, ascending.

    Args:
        total: items in all.
        featured: those that must be there.
        codes: for each target (total,), equal for items of one kind, such as a cell of a confusion matrix: up to 40 of
            each kind come before a sample of the rest.
        most: how many there may be; featured ones are there even beyond it.

    Example:
        >>> chosen(5, [4], [np.array([0, 0, 0, 1, 1])]).tolist()
        [0, 1, 2, 3, 4]
    """
    if total <= most:
        return np.arange(total)
    first = list(dict.fromkeys(featured))
    order = np.random.default_rng(0).permutation(total)
    some = [part[:_IN_A_CELL] for own in codes for part in _by_kind(own[order], order)]
    ranked = np.concatenate([np.array(first, np.int64), *_turns(some), order])
    _, seen = np.unique(ranked, return_index=True)
    return np.sort(ranked[np.sort(seen)][: max(most, len(first))])


def _by_kind(codes: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    _, kinds = np.unique(codes, return_inverse=True)
    return [order[kinds == kind] for kind in range(int(kinds.max()) + 1)]


def _turns(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One of each, then a second of each, and so on."""
    longest = max((len(part) for part in parts), default=0)
    return [np.array([part[turn] for part in parts if turn < len(part)], np.int64) for turn in range(longest)]
