"""Folds within the rows that a head is fitted on: for temperatures, and for stopping early."""

from __future__ import annotations

import numpy as np

N_FOLDS = 3
_ROWS_IN_PART = 10
_ENOUGH = 2000  # tested rows, beyond which one temperature is known well enough


def equal_rows(X: np.ndarray) -> np.ndarray:
    """A number for every row (n,); equal rows share one."""
    return np.unique([hash(row.tobytes()) for row in np.ascontiguousarray(X)], return_inverse=True)[1]


def parts_by_size(y: np.ndarray, most: int = 10) -> np.ndarray:
    """Numbers (n,) as codes of up to ten parts of about as many rows: what folds spread evenly in the place of classes.

    Each part has ten rows or more; equal numbers share a part.

    Example:
        >>> parts_by_size(np.arange(40.0)).tolist() == [i // 10 for i in range(40)]
        True
    """
    count = int(np.clip(len(y) // _ROWS_IN_PART, 1, most))
    edges = np.unique(np.quantile(y, np.arange(1, count) / count, method="higher")) if count > 1 else np.empty(0)
    return np.asarray(np.unique(np.searchsorted(edges, y, side="right"), return_inverse=True)[1])


def assignment(X: np.ndarray, codes: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """A fold for every row (n,), -1 = always in training. Equal rows share a fold; a class keeps
    a row in training.

    Classes are dealt out in turn, so each has its share in every fold. The only row of a class is never tested.
    """
    row = equal_rows(X)
    order = np.random.default_rng(seed).permutation(len(codes))
    _, first = np.unique(row[order], return_index=True)
    leaders = order[np.sort(first)]
    leaders = leaders[np.argsort(codes[leaders], kind="stable")]
    dealt = np.full(row.max() + 1, -1)
    dealt[row[leaders]] = np.arange(len(leaders)) % n_folds
    counts = np.bincount(codes[leaders], minlength=codes.max() + 1)
    alone = leaders[counts[codes[leaders]] < 2]
    dealt[row[alone]] = -1
    return np.asarray(dealt[row])


def inner_folds(X: np.ndarray, codes: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of row indices (training, testing): three, or of many rows as few as test enough of them."""
    fold = assignment(X, codes, N_FOLDS, seed)
    pairs = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(N_FOLDS)]
    before = np.cumsum([0, *(len(test) for _, test in pairs[:-1])])
    return [(train, test) for (train, test), n in zip(pairs, before, strict=True) if len(test) and n < _ENOUGH]
