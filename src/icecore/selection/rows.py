"""Fewer rows where all of them would cost more than they tell."""

from __future__ import annotations

import math

import numpy as np

from icecore.evaluation.folds import folds


def part_of(y: np.ndarray, groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Row numbers of at most about `most` rows, with the classes in their shares and groups whole. All where so few."""
    if len(y) <= most:
        return np.arange(len(y))
    return folds(y, groups, n_splits=math.ceil(len(y) / most), seed=seed)[0][1]


def one_a_group(groups: np.ndarray) -> np.ndarray:
    """Row number of the first row of each group."""
    return np.sort(np.unique(groups, return_index=True)[1])


def spread_order(y: np.ndarray, seed: int) -> np.ndarray:
    """Row numbers in an order of which every beginning has the classes in their shares.

    Example:
        >>> y = np.array([0] * 6 + [1] * 2)
        >>> np.bincount(y[spread_order(y, 0)[:4]]).tolist()
        [3, 1]
    """
    rng = np.random.default_rng(seed)
    place = np.empty(len(y))
    for c in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == c))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")
