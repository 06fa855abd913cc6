"""What is mixed up with what: the confusion matrix, and how each class fares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.evaluation import Estimate, wilson
from icecore.reporting.material import Scored

MOST_CLASSES = 20
_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """Items of one class that were called another, or rightly the same.

    Attributes:
        count: of them.
        share: of the items of their class.
        level: 0 to 8, how strong the cell is painted.
    """

    true: int
    called: int
    count: int
    share: float
    level: int

    @property
    def right(self) -> bool:
        """Whether it lies on the diagonal."""
        return self.true == self.called


@dataclass(frozen=True, slots=True)
class OfClass:
    """One class: how many items, the share of them found, and the share of what is called so that is so."""

    code: int
    name: str
    items: int
    found: Estimate | None
    right: Estimate | None


@dataclass(frozen=True)
class Confusion:
    """The matrix, its rows the true classes; where there are many classes, those that are mixed up most.

    Attributes:
        names: of all classes.
        shown: codes of the classes in the matrix.
        cells: rows of it.
        classes: every class, the worst found first.
        pairs: the cells off the diagonal with most items, of all classes.
        scored: items in all.
    """

    names: tuple[str, ...]
    shown: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]
    classes: tuple[OfClass, ...]
    pairs: tuple[Cell, ...]
    scored: int

    @property
    def whole(self) -> bool:
        """Whether all classes are in the matrix."""
        return len(self.shown) == len(self.names)


def confusion(scored: Scored) -> Confusion:
    """Counted over the scored items."""
    k = len(scored.names)
    y, called = scored.only(scored.y), scored.only(scored.predicted)
    counts = np.bincount(y * k + called, minlength=k * k).reshape(k, k)
    shown = _most_confused(counts) if k > MOST_CLASSES else np.arange(k)
    names = scored.names
    return Confusion(
        names=tuple(names),
        shown=tuple(shown.tolist()),
        cells=tuple(tuple(_cell(counts, int(i), int(j)) for j in shown) for i in shown),
        classes=tuple(sorted((_of_class(counts, names, code) for code in range(k)), key=_worst)),
        pairs=_pairs(counts),
        scored=len(y),
    )


def _cell(counts: np.ndarray, true: int, called: int) -> Cell:
    count, total = int(counts[true, called]), int(counts[true].sum())
    share = count / total if total else 0.0
    strength = share if true == called else min(1.0, 3 * share)  # a tenth of a class gone astray should be seen
    return Cell(true, called, count, share, int(np.ceil(strength * _LEVELS)) if count else 0)


def _of_class(counts: np.ndarray, names: list[str], code: int) -> OfClass:
    hit, own, called = (int(n) for n in (counts[code, code], counts[code].sum(), counts[:, code].sum()))
    return OfClass(
        code,
        names[code],
        own,
        wilson(hit / own, own) if own else None,
        wilson(hit / called, called) if called else None,
    )


def _worst(own: OfClass) -> tuple[float, str]:
    return (own.found.value if own.found else 2.0, own.name)


def _pairs(counts: np.ndarray, most: int = 12) -> tuple[Cell, ...]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    places = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, off.shape), strict=True)]
    return tuple(_cell(counts, i, j) for i, j in places if off[i, j])


def _most_confused(counts: np.ndarray) -> np.ndarray:
    """The classes that take part in most mistakes, in their own order."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    return np.sort(np.argsort(-(off.sum(0) + off.sum(1)), kind="stable")[:MOST_CLASSES])
