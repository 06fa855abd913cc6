"""A class of another world: one whose items are unlike those of every other class, while no other class is so.

Each class is left out in turn, and asked how many of its items are beyond 99 in 100 of unseen items of the others (see
`typicality`). In ordinary data that is 0 to 20 % under most networks, for each class. Of a class of TrashNet
among those of CIFAR-10, or the other way round, it is 54 to 100 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.evaluation.typicality import gaussians

_ROWS = 1500
_OWN = 200  # items of a class that are asked of
_LEAST_ROWS, _LEAST_OWN = 60, 5
_MOST_CLASSES = 100
_APART, _OTHERS = 0.5, 0.4
_BEYOND = 0.99


@dataclass(frozen=True, slots=True)
class Outlying:
    """A class that lies apart from all others.

    Attributes:
        code: of the class.
        share: of its items that are unlike those of all other classes.
        others: the largest such share of another class.
    """

    code: int
    share: float
    others: float


def outlying_class(X: np.ndarray, y: np.ndarray, *, seed: int = 0) -> Outlying | None:
    """The class of which at least half of the items are unlike those of all others, and of no other class half as many.

    Args:
        X: features (n, d).
        y: class codes (n,).
        seed: of what is drawn.

    None where there is none, of fewer than three classes, of more than a hundred, or of few items.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = rng.normal(size=(180, 8))
        >>> X[y == 2, 3] += 30
        >>> outlying_class(X, y).code
        2
    """
    y = np.asarray(y)
    codes, counts = np.unique(y, return_counts=True)
    codes = codes[counts >= _LEAST_OWN]
    if not 3 <= len(codes) <= _MOST_CLASSES:
        return None
    shares = [_share_beyond(np.asarray(X), y, int(code), seed) for code in codes]
    order = np.argsort(shares)
    first, second = shares[order[-1]], shares[order[-2]]
    apart = first >= _APART and second <= min(_OTHERS, first / 2)
    return Outlying(int(codes[order[-1]]), float(first), float(second)) if apart else None


def _share_beyond(X: np.ndarray, y: np.ndarray, code: int, seed: int) -> float:
    """Which share of a class is farther from all others than 99 in 100 of their own unseen items; 0 of too few."""
    rng = np.random.default_rng([seed, code])
    rest = rng.permutation(np.flatnonzero(y != code))[:_ROWS]
    if len(rest) < _LEAST_ROWS:
        return 0.0
    own = rng.permutation(np.flatnonzero(y == code))[:_OWN]
    known, new = np.split(rest, [3 * len(rest) // 4])
    made = gaussians(X[known], y[known], seed)[0]
    return float((made.distances(X[own]) > np.quantile(made.distances(X[new]), _BEYOND)).mean())
