"""Two models on the same rows: the difference of their shares of right answers, with an interval."""

from __future__ import annotations

import math

import numpy as np

from icecore.errors import UsageError
from icecore.evaluation.estimate import Z95, Estimate, t95, wilson
from icecore.evaluation.sample import sample_of


def share_right(right: np.ndarray, groups: np.ndarray | None = None) -> Estimate:
    """A model's share of right answers with its 95 % interval; rows of one group count as one item (Kish 1965).

    Args:
        right: (n,) 1 where the model is right, 0 where it is wrong; at least one row.
        groups: (n,), equal for equal items.

    Example:
        >>> print(share_right(np.array([True, True, True, False] * 10)))
        0.750 [0.598, 0.858]
    """
    sizes = np.ones(len(right)) if groups is None else np.unique(np.asarray(groups), return_counts=True)[1]
    return wilson(float(np.mean(right)), float(sizes.sum() ** 2 / (sizes**2).sum()))


def paired_difference(right: np.ndarray, reference: np.ndarray, groups: np.ndarray | None = None) -> Estimate:
    """How much larger a model's share of right answers is than another's, with its 95 % interval.

    The interval is Wald's with half a case added to each cell of the 2 x 2 table (Agresti and Min 2005,
    https://doi.org/10.1002/sim.1985), so it never has zero width. Rows of one group count as one item.

    Args:
        right: (n,) 1 where the model is right, 0 where it is wrong; shares where a row has several answers.
        reference: (n,) the same of the other model.
        groups: (n,), equal for equal items.

    Raises UsageError where there is nothing to compare.

    Example:
        >>> print(paired_difference(np.array([1, 1, 1, 1, 0] * 8), np.array([1, 0, 1, 1, 0] * 8)))
        0.200 [0.063, 0.318]
    """
    if len(right) != len(reference) or not len(right):
        raise UsageError(
            f"{len(right)} answers came with {len(reference)} of another model.", expected="One each, at least one row."
        )
    gain = np.asarray(right, np.float64) - np.asarray(reference, np.float64)
    codes = np.arange(len(gain)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    gain = np.bincount(codes, gain) / np.bincount(codes)
    n = len(gain)
    better, worse = float(gain[gain > 0].sum()) + 0.5, -float(gain[gain < 0].sum()) + 0.5
    centre = (better - worse) / (n + 2)
    half = Z95 * math.sqrt(max((better + worse) - (better - worse) ** 2 / (n + 2), 0)) / (n + 2)
    value = float(gain.mean())
    return Estimate(value, min(value, max(-1.0, centre - half)), max(value, min(1.0, centre + half)))


def paired_gain(gain: np.ndarray, reference: np.ndarray, groups: np.ndarray | None = None) -> Estimate:
    """How much more a model scores than another, where what a row adds to the score is no share of right answers.

    The interval is Student's t on the differences, its degrees of freedom those that their kurtosis leaves. Rows of one
    group count as one item.

    Args:
        gain: (n,) what each row adds to the score of a model; the score is their mean.
        reference: (n,) the same of the other model.
        groups: (n,), equal for equal items.

    Raises UsageError where there is nothing to compare.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> ours, theirs = rng.normal(0.5, 1, 200), rng.normal(0.0, 1, 200)
        >>> bool(paired_gain(ours, theirs).low > 0)
        True
    """
    sample = sample_of(np.asarray(reference, np.float64), gain, None, groups)
    found = sample.proba - sample.y
    value = sample.mean(found)
    half = t95(sample.degrees(found)) * math.sqrt(sample.variance_of_mean(found))
    return Estimate(value, value - half, value + half)
