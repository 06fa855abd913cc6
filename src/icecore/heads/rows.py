"""Rows of features that need not lie in memory: an array, or what is read from the store when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

ROWS_AT_ONCE = 4096
_ENOUGH = 4000
_NUMBERS_AT_ONCE = 1 << 20  # heads work in float64 and on copies: this bounds what a piece of wide rows takes


@runtime_checkable
class Rows(Protocol):
    """Rows (n, d). Arrays are rows; so is anything that has a shape and gives some of its rows as an array.

    Example:
        >>> isinstance(np.eye(3), Rows), isinstance([[1.0]], Rows)
        (True, False)
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102  # described in the class docstring

    def __len__(self) -> int: ...  # likewise

    def __getitem__(self, at: slice | np.ndarray, /) -> np.ndarray: ...  # likewise


def pieces(X: Rows, size: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows piece by piece, in order, each with its place; by default about a million numbers at once.

    Example:
        >>> [(at.start, len(rows)) for at, rows in pieces(np.eye(5), 2)]
        [(0, 2), (2, 2), (4, 1)]
    """
    size = size or max(1, min(ROWS_AT_ONCE, _NUMBERS_AT_ONCE // max(1, X.shape[1])))
    for start in range(0, len(X), size):
        at = slice(start, min(start + size, len(X)))
        yield at, X[at]


def some_rows(n: int, seed: int) -> np.ndarray:
    """Positions of at most 4,000 of n rows, drawn at random, ascending: enough for one setting to be learnt from."""
    return np.sort(np.random.default_rng(seed).choice(n, min(n, _ENOUGH), replace=False))


class Some:
    """Some of the rows, those at given positions (m,), in that order; nothing is read yet."""

    def __init__(self, X: Rows, at: np.ndarray) -> None:
        self._X, self._at = X, at

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, d)."""
        return len(self._at), self._X.shape[1]

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, at: slice | np.ndarray) -> np.ndarray:
        return self._X[self._at[at]]


class SideBySide:
    """Rows whose features are those of several, one after the other; nothing is read yet."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, sum of the widths)."""
        return len(self), sum(part.shape[1] for part in self._parts)

    def __len__(self) -> int:
        return len(self._parts[0])

    def __getitem__(self, at: slice | np.ndarray) -> np.ndarray:
        return np.concatenate([part[at] for part in self._parts], axis=1)
