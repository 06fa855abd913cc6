"""Metrics of predicted numbers: R2, mean absolute error, root mean squared error, each with its interval.

Errors are skewed and may have heavy tails, so the intervals are symmetric in the cube root (mean errors) or in the
logarithm of the unexplained share (R2), and Student's t has the degrees of freedom that the kurtosis leaves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, of_positive, t95
from icecore.evaluation.sample import Sample, sample_of

if TYPE_CHECKING:
    Metrics = dict[str, Estimate | None]

NUMBER_METRICS = ("r2", "mae", "rmse")
_COVERED = 0.95


def number_metrics(
    y: np.ndarray, values: np.ndarray, *, weights: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Metrics:
    """R2, mean absolute error and root mean squared error, each with a 95 % interval.

    The intervals are about new items from the same source, with the model as it is. Values equal scikit-learn's.

    Args:
        y: true numbers, (n,).
        values: predicted ones, (n,), in the same unit.
        weights: above zero, (n,); only their ratios count.
        groups: (n,), equal for rows that are one item: intervals count items.

    Returns:
        `r2` (1 is perfect, 0 is the mean of y; None where y does not vary), `mae` and `rmse` in the unit of y.

    Raises:
        UsageError: where lengths or values cannot be right.

    Example:
        >>> y = np.arange(20.0)
        >>> found = number_metrics(y, y + np.tile([0.5, -0.5], 10))
        >>> round(found["r2"].value, 3), found["mae"].value, found["rmse"].value
        (0.992, 0.5, 0.5)
    """
    sample = sample_of(y, values, weights, groups)
    errors = sample.proba - sample.y
    spread = np.abs(sample.y - sample.mean(sample.y))
    squared = _mean_error(sample, np.square(errors), np.square(spread))
    return {
        "r2": _r2(sample, np.square(errors), np.square(spread)),
        "mae": _mean_error(sample, np.abs(errors), spread),
        "rmse": Estimate(math.sqrt(squared.value), math.sqrt(squared.low), math.sqrt(squared.high)),
    }


def half_width(y: np.ndarray, values: np.ndarray, groups: np.ndarray) -> float | None:
    """How far off 95 % of new numbers are at most, by split conformal prediction (Vovk et al. 2005).

    Args:
        y: true numbers, (n,), of rows that the model, or one like it, had not seen.
        values: predicted ones, (n,).
        groups: (n,), equal for rows that are one item.

    Returns None where the items are too few to say.

    Example:
        >>> half_width(np.zeros(39), np.arange(39.0), np.arange(39)), half_width(np.zeros(5), np.ones(5), np.arange(5))
        (37.0, None)
    """
    items = len(np.unique(groups))
    least = math.ceil(_COVERED * (items + 1))  # so many of the items have to lie within
    at = -(-least * len(y) // items)  # of rows, where items have several
    return float(np.sort(np.abs(values - y))[at - 1]) if least <= items else None


def _mean_error(sample: Sample, errors: np.ndarray, floor: np.ndarray) -> Estimate:
    """Of errors (n,); `floor` are those that the mean of y would have."""
    variance = max(sample.variance_of_mean(errors), _one_half(sample, errors, floor) ** 2)
    value = sample.mean(errors)
    return of_positive(value, t95(sample.degrees(errors)) * math.sqrt(variance))


def _r2(sample: Sample, errors: np.ndarray, spread: np.ndarray) -> Estimate | None:
    total = sample.mean(spread)
    if total <= 0:
        return None
    left = sample.mean(errors) / total
    influence = (errors - left * spread) / total
    least = _one_half(sample, errors, spread) / total
    doubt = max(left, least)
    deviation = math.sqrt(max(sample.variance_of_mean(influence), least**2))
    factor = math.exp(min(t95(sample.degrees(influence)) * deviation / doubt, 50.0))
    return Estimate(1 - left, min(1 - left, 1 - doubt * factor), max(1 - left, 1 - left / factor))


def _one_half(sample: Sample, errors: np.ndarray, floor: np.ndarray) -> float:
    """What half an item adds to the mean of errors (n,) that is as far off as the worst one seen; where none is off at
    all, as the mean would be.
    """
    worst = float(errors.max()) or sample.mean(floor)
    return worst / 2 / sample.n
