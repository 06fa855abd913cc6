"""Metrics of classes in an order: mean absolute error in ranks and quadratic-weighted kappa, with their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, of_positive, t95, wilson
from icecore.evaluation.probabilities import log_loss
from icecore.evaluation.sample import Sample, make_sample

if TYPE_CHECKING:
    Metrics = dict[str, Estimate | None]

RANK_METRICS = ("mae", "quadratic_weighted_kappa", "accuracy", "log_loss")


def median_classes(proba: np.ndarray) -> np.ndarray:
    """The median class of each row of probabilities (n, k), (n,): the one that has the least expected error in ranks.

    Example:
        >>> median_classes(np.array([[0.4, 0.25, 0.35]])).tolist()
        [1]
    """
    found: np.ndarray = (np.cumsum(proba, axis=1) < 0.5 - 1e-9).sum(axis=1)
    return np.asarray(np.minimum(found, proba.shape[1] - 1))


def rank_metrics(
    y: np.ndarray,
    proba: np.ndarray,
    n_classes: int,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Metrics:
    """Mean absolute error in ranks, quadratic-weighted kappa, accuracy and log loss, each with a 95 % interval.

    Args:
        y: class codes 0..n_classes-1 in their order, (n,).
        proba: probabilities, (n, n_classes); their median is the predicted class.
        n_classes: number of classes.
        weights: above zero, (n,); only their ratios count.
        groups: (n,), equal for rows that are one item: intervals count items.

    Returns:
        `mae` in ranks; `quadratic_weighted_kappa` (Cohen 1968; 1 is perfect, 0 is chance; None where only one class
        occurs on both sides).

    Raises:
        UsageError: where shapes, codes or probabilities cannot be right.

    Example:
        >>> print(rank_metrics(np.array([0, 1, 2] * 10), np.eye(3)[[0, 1, 2] * 10], 3)["mae"])
        0.000 [0.000, 0.119]
    """
    sample = make_sample(y, proba, n_classes, weights, groups)
    ranks = median_classes(sample.proba)
    off = np.abs(ranks - sample.y).astype(np.float64)
    least = (0.5 / sample.n) ** 2  # half an item may be one rank off where none was seen
    variance = max(sample.variance_of_mean(off), least)
    smooth = of_positive(max(sample.mean(off), 0.5 / sample.n), t95(sample.degrees(off)) * math.sqrt(variance))
    value = sample.mean(off)
    return {
        "mae": Estimate(value, min(value, smooth.low), smooth.high),
        "quadratic_weighted_kappa": _kappa(sample, ranks.astype(np.float64)),
        "accuracy": wilson(sample.mean(ranks == sample.y), sample.n),
        "log_loss": log_loss(sample),
    }


def _kappa(sample: Sample, ranks: np.ndarray) -> Estimate | None:
    """1 - (mean squared distance) / (that of pairs by chance); by the delta method, symmetric in the logarithm."""
    y = sample.y.astype(np.float64)
    y_mean, r_mean = sample.mean(y), sample.mean(ranks)
    y_spread, r_spread = sample.mean((y - y_mean) ** 2), sample.mean((ranks - r_mean) ** 2)
    chance = y_spread + r_spread + (y_mean - r_mean) ** 2
    if chance <= 0:
        return None
    squares = (y - ranks) ** 2
    left = sample.mean(squares) / chance
    of_row = (y - r_mean) ** 2 + r_spread + (ranks - y_mean) ** 2 + y_spread - 2 * chance
    influence = (squares - sample.mean(squares) - left * of_row) / chance
    least = 0.5 / sample.n / chance  # half an item that is one rank off
    deviation = math.sqrt(max(sample.variance_of_mean(influence), least**2))
    doubt = max(left, least)
    factor = math.exp(min(t95(sample.degrees(influence)) * deviation / doubt, 50.0))
    return Estimate(1 - left, max(-1.0, min(1 - left, 1 - doubt * factor)), max(1 - left, 1 - left / factor))
