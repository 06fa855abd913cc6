"""Metrics of the probabilities themselves: log loss and calibration error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, of_positive, t95

if TYPE_CHECKING:
    from icecore.evaluation.sample import Sample

BINS = 15
_LEAST_ITEMS_IN_BIN = 10
_DRAWS = 2000
_TINY = float(np.finfo(np.float64).eps)
_BELIEF = 30  # items: how long the model's own statement about its losses outweighs the losses that were seen


def log_loss(sample: Sample) -> Estimate:
    """Mean of -log(probability of the true class), in nats.

    A model that is nearly always right has rare large losses, which a small sample does not show, and bootstrap
    intervals then miss the truth in half of all cases. So the variance is at least the one that the probabilities
    themselves announce, scaled by how their announced loss agrees with the loss seen; Student's t has the degrees of
    freedom that the kurtosis leaves; and the interval is symmetric in the cube root, which takes most of the skewness
    away. Overconfident and nearly perfect models remain hard: the interval then covers in about 90 % of samples.
    """
    p = np.clip(sample.proba, _TINY, 1.0)
    logs = np.log(p)
    losses = -logs[np.arange(len(p)), sample.y]
    value = max(sample.mean(losses), 0.0)
    variance = max(sample.variance_of_mean(losses), _announced_variance(sample, p, logs, value))
    return of_positive(value, t95(sample.degrees(losses)) * math.sqrt(variance))


def _announced_variance(sample: Sample, p: np.ndarray, logs: np.ndarray, seen: float) -> float:
    """Variance of the mean loss if labels were drawn from the probabilities, times seen over announced loss."""
    entropy = -(p * logs).sum(axis=1)
    spread = np.sqrt(np.maximum((p * logs**2).sum(axis=1) - entropy**2, 0.0))
    announced = max(sample.mean(entropy), _TINY)
    ratio = (sample.n * seen + _BELIEF * announced) / ((sample.n + _BELIEF) * announced)
    # A certain model (entropy zero) announces nothing: one item of one nat stands in for what has not been seen.
    return max(float(ratio * (sample.by_group(spread) ** 2).sum()), 1 / max(sample.n, 2.0) ** 3)


def calibration_error(sample: Sample, seed: int, most: int = BINS) -> Estimate:
    """Expected calibration error: mean over bins of |confidence - accuracy| of the predicted class (Guo et al. 2017).

    15 bins of equal mass, fewer where a bin would hold fewer than ten items; equal confidences share a bin. Chance
    alone makes the error of a small sample too large (Kumar, Liang and Ma 2019). The value stays as it is, comparable
    with other reports; the interval goes down by as much as chance alone reaches, so that zero is in it for a
    calibrated model, and up by the spread of the value under the bins' normal limit.
    """
    gaps, announced = _gaps(sample, most)
    totals = gaps.sum(axis=0)
    value = float(np.abs(totals).sum())
    covariance = gaps.T @ gaps
    # Bins without an error still may hold one: at least the announced variance, and two errors more over all bins.
    covariance += np.diag(np.maximum(announced - np.diag(covariance), 0) + 4 / sample.n**2 / len(totals))
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(totals)))
    noise = draws @ np.linalg.cholesky(covariance).T
    chance = np.quantile(np.abs(noise).sum(axis=1), 0.95)
    again = np.abs(totals + noise).sum(axis=1)
    up = np.quantile(again, 0.975) - again.mean()
    return Estimate(value, max(0.0, value - float(chance)), max(value, min(1.0, value + float(up))))


def _bins(sample: Sample, most: int) -> int:
    return int(min(most, max(1, sample.n // _LEAST_ITEMS_IN_BIN)))


def binned(sample: Sample, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each row, (n,) numbers from low to high confidence, and its confidence (n,). At most so many bins."""
    confidence = sample.proba.max(axis=1)
    edges = _edges(confidence, sample.weights, _bins(sample, most))
    return np.searchsorted(edges, confidence, side="left"), confidence


def _gaps(sample: Sample, most: int) -> tuple[np.ndarray, np.ndarray]:
    """What each group adds to confidence minus accuracy in each bin (groups, bins); its announced variance (bins,)."""
    bins, confidence = binned(sample, most)
    count = _bins(sample, most)
    gap = (confidence - (sample.predicted == sample.y)) * sample.weights / sample.n
    cells, size = sample.groups * count + bins, (int(sample.groups.max()) + 1) * count
    spread = sample.weights / sample.n * np.sqrt(np.clip(confidence * (1 - confidence), 0, None))
    announced = (np.bincount(cells, spread, size).reshape(-1, count) ** 2).sum(axis=0)
    return np.bincount(cells, gap, size).reshape(-1, count), announced


def _edges(values: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """(count - 1,) values that cut the sorted values into parts of equal weight."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[order])
    at = np.searchsorted(mass, mass[-1] * np.arange(1, count) / count * (1 - _TINY * len(values)))
    result: np.ndarray = values[order][at]
    return result
