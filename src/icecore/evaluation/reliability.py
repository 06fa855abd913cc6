"""How often the predicted class is right among predictions of about one confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.evaluation.estimate import Estimate, wilson
from icecore.evaluation.probabilities import BINS, binned, calibration_error
from icecore.evaluation.sample import Sample, make_sample


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one confidence.

    Attributes:
        low: the smallest confidence of the bin.
        high: the largest.
        confidence: their mean.
        accuracy: share of them that is right, with its 95 % interval.
        items: how many items, duplicates counted once.
    """

    low: float
    high: float
    confidence: float
    accuracy: Estimate
    items: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram as numbers.

    Attributes:
        bins: from low to high confidence.
        error: the expected calibration error, as `metrics` gives it.
    """

    bins: tuple[Bin, ...]
    error: Estimate


def reliability(
    y: np.ndarray, proba: np.ndarray, groups: np.ndarray | None = None, *, bins: int = BINS, seed: int = 0
) -> Reliability:
    """Confidence and accuracy in bins of equal mass, and the calibration error (Guo et al. 2017).

    There are fewer bins where one would hold fewer than ten items; equal confidences share a bin.

    Args:
        y: class codes (n,).
        proba: (n, k), of rows that were not trained on.
        groups: (n,), equal for equal items.
        bins: at most.
        seed: of the interval of the error.

    Raises UsageError where shapes or values cannot be right.

    Example:
        >>> found = reliability(np.array([0, 1] * 20), np.tile([0.9, 0.1], (40, 1)))
        >>> [f"{one.confidence:.2f}: {one.accuracy}" for one in found.bins]
        ['0.90: 0.500 [0.352, 0.648]']
    """
    sample = make_sample(y, proba, np.shape(proba)[1], None, groups)
    number, confidence = binned(sample, bins)
    return Reliability(
        tuple(_bin(sample, number == own, confidence) for own in np.unique(number)),
        calibration_error(sample, seed, bins),
    )


def _bin(sample: Sample, mask: np.ndarray, confidence: np.ndarray) -> Bin:
    weights = sample.weights[mask]
    own, right = confidence[mask], (sample.predicted == sample.y)[mask]
    share = float(weights @ right / weights.sum())
    of_group = np.bincount(np.unique(sample.groups[mask], return_inverse=True)[1], weights)
    items = float(of_group.sum() ** 2 / (of_group**2).sum())
    mean = float(weights @ own / weights.sum())
    return Bin(float(own.min()), float(own.max()), mean, wilson(share, items), items)
