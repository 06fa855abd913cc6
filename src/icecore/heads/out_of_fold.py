"""Decision values for every row from rows that it is not among."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from icecore.heads.split import Split

Folds: TypeAlias = Sequence[tuple[np.ndarray, np.ndarray]]
Decide: TypeAlias = Callable[[Split], np.ndarray]  # -> decision values (settings, m, k) of its test rows


def out_of_fold(
    decide: Decide, X: np.ndarray, y: np.ndarray, folds: Folds, *, n_classes: int, n_settings: int = 1
) -> np.ndarray:
    """Decision values (n_settings, n, n_classes). A row tested more than once gets the mean, one never tested NaN.

    A class that is absent from a training fold has -inf there, so its probability is 0.
    """
    total = np.zeros((n_settings, len(X), n_classes))
    times = np.zeros((len(X), 1))
    for train, test in folds:
        total[:, test] += _of_fold(decide, X[train], y[train], X[test], (n_settings, len(test), n_classes))
        times[test] += 1
    return np.asarray(np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0))


def _of_fold(
    decide: Decide, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    present, codes = np.unique(y, return_inverse=True)
    values = np.full(shape, -np.inf)
    values[:, :, present] = decide(Split(X, codes, len(present), X_test)) if len(present) > 1 else 0.0
    return values
