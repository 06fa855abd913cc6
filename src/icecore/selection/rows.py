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
