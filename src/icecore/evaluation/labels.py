"""Metrics of predicted labels: accuracy, balanced accuracy, macro F1. All are functions of the confusion matrix.

The intervals of the last two are Wilson's at the variance of the delta method, with three repairs for classes of few
items: the confusion matrix is smoothed before the variance is taken (a class without an error is not a class without
doubt), each class counts with its own number of items, and Student's t takes their smallness into account
(Satterthwaite 1946). In simulations they cover more often than Dirichlet draws of the confusion matrix, which lose
sight of the truth as soon as there are more than a few classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, t95, wilson, wilson_from_variance

if TYPE_CHECKING:
    from collections.abc import Callable

    from icecore.evaluation.sample import Sample

    Gradient = Callable[[np.ndarray], np.ndarray]

_PSEUDO_ERRORS = 2.0  # in all, as Agresti and Coull (1998) add; at most half a one to a class
_SHRINKAGE = 1.0  # items of average accuracy that are added to each class


def confusion(sample: Sample) -> np.ndarray:
    """(classes, classes): weight of each pair of true class (row) and predicted class (column)."""
    k = sample.proba.shape[1]
    return np.bincount(sample.y * k + sample.predicted, sample.weights, k * k).reshape(k, k)


def accuracy(matrix: np.ndarray) -> Estimate:
    """Share of right labels; Wilson's interval on the effective number of items."""
    return wilson(float(np.trace(matrix) / matrix.sum()), float(matrix.sum()))


def balanced_accuracy(matrix: np.ndarray) -> Estimate:
    """Mean recall of the classes that occur."""
    return _interval(matrix, _recalls, _recall_gradient, matrix.sum(axis=1) > 0)


def macro_f1(matrix: np.ndarray) -> Estimate:
    """Mean F1 of the classes that occur, among labels or among predictions."""
    return _interval(matrix, _f1s, _f1_gradient, matrix.sum(axis=0) + matrix.sum(axis=1) > 0)


def _interval(matrix: np.ndarray, scores: Gradient, gradient: Gradient, scored: np.ndarray) -> Estimate:
    value = float(scores(matrix)[scored].mean())
    smooth = _smoothed(matrix)
    of_class = (smooth * gradient(smooth) ** 2).sum(axis=1) / scored.sum() ** 2
    variance, centre = float(of_class.sum()), float(scores(smooth)[scored].mean())
    return wilson_from_variance(value, centre, variance, t95(_degrees(of_class, matrix.sum(axis=1))))


def _degrees(variances: np.ndarray, counts: np.ndarray) -> float:
    seen = counts > 0
    return float(variances.sum() ** 2 / (variances[seen] ** 2 / counts[seen]).sum())


def _smoothed(matrix: np.ndarray) -> np.ndarray:
    """The matrix with some doubt added to the row of each class that occurs, and its row sums as they were."""
    k, rows = len(matrix), matrix.sum(axis=1, keepdims=True)
    average = (np.trace(matrix) + 1) / (matrix.sum() + 2)
    errors = _where_errors_go(matrix)
    pseudo = min(0.5, _PSEUDO_ERRORS / max(int((rows > 0).sum()), 1))
    doubt = (_SHRINKAGE * average + pseudo) * np.eye(k) + (_SHRINKAGE * (1 - average) + pseudo) * errors
    result: np.ndarray = (matrix + doubt) * (rows / (rows + _SHRINKAGE + 2 * pseudo))
    return result


def _where_errors_go(matrix: np.ndarray) -> np.ndarray:
    """(classes, classes): share of each wrong class among the errors of a row, from how often a class is predicted."""
    k = len(matrix)
    shares = np.tile(matrix.sum(axis=0) + 1, (k, 1)) * (1 - np.eye(k))
    result: np.ndarray = shares / np.maximum(shares.sum(axis=1, keepdims=True), math.ulp(0.0))
    return result


def _recalls(matrix: np.ndarray) -> np.ndarray:
    return _ratio(np.diag(matrix), matrix.sum(axis=1))


def _recall_gradient(matrix: np.ndarray) -> np.ndarray:
    """By how much one more item in a cell raises the sum of recalls."""
    rows = matrix.sum(axis=1)
    result: np.ndarray = np.diag(_ratio(1.0, rows)) - _ratio(_recalls(matrix), rows)[:, None]
    return result


def _f1s(matrix: np.ndarray) -> np.ndarray:
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def _f1_gradient(matrix: np.ndarray) -> np.ndarray:
    """By how much one more item in a cell raises the sum of F1 scores."""
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    loss = _ratio(_f1s(matrix), both)
    result: np.ndarray = np.diag(_ratio(2.0, both)) - loss[:, None] - loss[None, :]
    return result


def _ratio(top: np.ndarray | float, bottom: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), 0.0)
    return result
