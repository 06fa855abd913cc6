"""Area under the ROC curve: how well the probabilities rank.

One class against the rest, averaged over the classes that can be ranked (that have rows and leave rows). The variance
is that of the placements (DeLong, DeLong and Clarke-Pearson 1988), summed over groups; where the ranking is nearly
perfect the placements know no doubt, so that of Hanley and McNeil (1982) at a slightly smaller area is the least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, wilson_from_variance

if TYPE_CHECKING:
    from icecore.evaluation.sample import Sample


def roc_auc(sample: Sample) -> Estimate | None:
    """Macro average of the one-against-rest areas. None where fewer than two classes occur."""
    counts = np.bincount(sample.y, sample.weights, sample.proba.shape[1])
    ranked = [int(c) for c in np.flatnonzero(counts) if counts[c] < sample.n]
    if not ranked:
        return None
    if sample.proba.shape[1] == 2:
        ranked = [1]  # the area of class 0 is the same one again
    areas, influences = zip(*(_area(sample, c) for c in ranked), strict=True)
    value = float(np.mean(areas))
    least = [
        _least_variance(a, counts[c], sample.n - counts[c], len(ranked)) for a, c in zip(areas, ranked, strict=True)
    ]
    variance = max(_clustered(sample, np.mean(influences, axis=0)), float(np.sum(least)) / len(ranked) ** 2)
    return wilson_from_variance(value, (value * sample.n + 0.5) / (sample.n + 1), variance)


def _area(sample: Sample, positive: int) -> tuple[float, np.ndarray]:
    """The area for one class, and what each row has to do with it (n,)."""
    is_positive = sample.y == positive
    places = _placements(sample.proba[:, positive], is_positive, sample.weights)
    ours = sample.weights * is_positive
    area = float(ours @ places / ours.sum())
    share = np.where(is_positive, ours.sum(), sample.n - ours.sum())
    return area, sample.weights * (places - area) / share


def _placements(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) for each row, the share of the other side that it is ranked on the right side of; ties count half."""
    _, level = np.unique(scores, return_inverse=True)
    below_negative = _share_below(level, weights * ~positive)
    above_positive = 1 - _share_below(level, weights * positive)
    return np.where(positive, below_negative, above_positive)


def _share_below(level: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mass = np.bincount(level, weights)
    result: np.ndarray = ((np.cumsum(mass) - mass / 2) / mass.sum())[level]
    return result


def _clustered(sample: Sample, influence: np.ndarray) -> float:
    sums = np.bincount(sample.groups, influence)
    return float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)


def _least_variance(area: float, positives: float, negatives: float, classes: int) -> float:
    """Hanley and McNeil's variance; the area is lowered by half a positive ranked at random, shared by the classes."""
    few = min(positives, negatives)
    a = 1 - (min(area, 1 - area) * few + 0.5 / classes) / (few + 1 / classes)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    top = a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)
    return float(max(top, a * (1 - a)) / (positives * negatives))
