"""Folds: which rows test, which train. Equal items never straddle, classes keep their shares, tiny classes survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Fold = tuple[np.ndarray, np.ndarray]


def duplicate_groups(rows: Sequence[bytes]) -> np.ndarray:
    """Group of each row, (n,) integers: rows with the same key share one, numbered by first appearance.

    Example:
        >>> duplicate_groups([b"a", b"b", b"a"]).tolist()
        [0, 1, 0]
    """
    numbers: dict[bytes, int] = {}
    return np.fromiter((numbers.setdefault(row, len(numbers)) for row in rows), dtype=np.intp, count=len(rows))


def folds(
    y: np.ndarray, groups: np.ndarray | None = None, *, n_splits: int = 5, repeats: int = 1, seed: int = 0
) -> list[Fold]:
    """Pairs of (train, test) row numbers, sorted, `repeats` times a division of the rows into test parts.

    - Rows of one group are always on the same side.
    - Each class is spread evenly: with n items (groups) of it, each test part has n / n_splits, rounded up or down.
    - A class of fewer items than folds is tested in as many folds as it has items, and is always there to train on.
      A class of a single item is never tested: it could only be got wrong. `untested` names such rows.
    - There are never more folds than the largest class has items.

    Args:
        y: class codes, shape (n,).
        groups: shape (n,), from `duplicate_groups`; None where every row is an item of its own.
        n_splits: folds of one repeat, at least 2.
        repeats: how many independent divisions.
        seed: same seed, same folds.

    Raises:
        DataError: where no class has two items.

    Example:
        >>> import numpy as np
        >>> [test.tolist() for _, test in folds(np.array([0, 0, 1, 1]), n_splits=2)]
        [[0, 2], [1, 3]]
    """
    y = np.asarray(y)
    if n_splits < 2 or repeats < 1:
        raise UsageError(f"Asked for {n_splits} folds, repeated {repeats} times.", expected="Two folds at least, once.")
    codes = _codes(y, groups)
    label = _label_of_group(y, codes)
    splits = min(n_splits, _largest_class(label))
    result: list[Fold] = []
    for repeat in range(repeats):
        part = _deal(label, np.bincount(codes), splits, np.random.default_rng([seed, repeat]))[codes]
        result += [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(splits)]
    return result


def untested(y: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(n,) True for the rows that `folds` never tests, because theirs is the only item of its class."""
    y = np.asarray(y)
    codes = _codes(y, groups)
    label = _label_of_group(y, codes)
    result: np.ndarray = (np.bincount(label)[label] < 2)[codes]
    return result


def _codes(y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    if groups is None:
        return np.arange(len(y))
    if len(groups) != len(y):
        raise UsageError(f"{len(groups)} groups came with {len(y)} labels.", expected="Expected one group a row.")
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _label_of_group(y: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Class of each group. Where equal items carry different labels, the rarest: that class needs spreading most."""
    rarity = np.bincount(y)[y]
    order = np.lexsort((y, rarity, codes))
    first = np.unique(codes[order], return_index=True)[1]
    result: np.ndarray = y[order][first]
    return result


def _largest_class(label: np.ndarray) -> int:
    largest = int(np.bincount(label).max()) if len(label) else 0
    if largest < 2:
        raise DataError(
            "No class has two different items, so nothing can be trained on one and tested on another.",
            expected="Expected at least two different items of a class; five or more make a usable figure.",
            do="Add labelled items, or check that the right column is the label.",
        )
    return largest


def _deal(label: np.ndarray, size: np.ndarray, splits: int, rng: np.random.Generator) -> np.ndarray:
    """(groups,) test part of each group, -1 where it is never tested. Rarest classes first, each dealt like cards."""
    part = np.full(len(label), -1)
    rows = np.zeros(splits, dtype=np.intp)
    counts = np.bincount(label)
    for c in np.argsort(counts, kind="stable"):
        if counts[c] >= 2:
            members = rng.permutation(np.flatnonzero(label == c))
            members = members[np.argsort(-size[members], kind="stable")]
            part[members] = _deal_class(size[members], rows, rng)
    return part


def _deal_class(size: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parts for the groups of one class, largest first, round by round; `rows` (rows so far in each part) is updated.

    In each round the emptiest part takes the largest group left, so that parts stay of one size. Full rounds of single
    rows change nothing about that, so they are dealt at once.
    """
    splits = len(rows)
    result = np.tile(np.arange(splits), -(-len(size) // splits))[: len(size)]
    for start in range(0, len(size), splits):
        hand = size[start : start + splits]
        if hand[0] > 1 or len(hand) < splits:
            order = np.lexsort((rng.random(splits), rows))[: len(hand)]
            result[start : start + splits] = order
            rows[order] += hand
        else:
            rows += 1
    return result
