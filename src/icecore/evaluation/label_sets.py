"""Metrics of several labels a row: mean average precision, micro and macro F1, exact matches, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.estimate import Estimate, wilson, wilson_from_variance
from icecore.evaluation.sample import Sample, sample_of

if TYPE_CHECKING:
    Metrics = dict[str, Estimate | None]

LABEL_SET_METRICS = ("mean_average_precision", "micro_f1", "macro_f1", "exact_match")
_DRAWS = 200


def label_set_metrics(
    y: np.ndarray,
    proba: np.ndarray,
    thresholds: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Metrics:
    """Mean average precision, F1 over all answers and as the mean of labels, and rows with all labels right.

    Each has a 95 % interval about new items from the same source. Values equal scikit-learn's; labels that no row has
    are left out of the means.

    Args:
        y: (n, k), 1 where a row has a label.
        proba: (n, k), each label's own probability.
        thresholds: (k,) or (n, k): a label is predicted where its probability reaches it.
        weights: above zero, (n,); only their ratios count.
        groups: (n,), equal for rows that are one item: intervals count items.
        seed: of the draws behind the interval of the mean average precision.

    Raises:
        UsageError: where lengths or values cannot be right.

    Example:
        >>> y = np.array([[1, 0], [1, 1], [0, 1], [0, 0]] * 5)
        >>> print(label_set_metrics(y, y * 0.8 + 0.1, np.array([0.5, 0.5]))["micro_f1"])
        1.000 [0.845, 1.000]
    """
    sample = sample_of(np.asarray(y, bool), proba, weights, groups)
    said = sample.proba >= thresholds
    right = (said == sample.y).all(axis=1)
    return {
        "mean_average_precision": mean_average_precision(sample, seed),
        "micro_f1": _f1(sample, said, micro=True),
        "macro_f1": _f1(sample, said, micro=False),
        "exact_match": wilson(sample.mean(right), sample.n),
    }


def average_precisions(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of each label (k,): the mean over its rows of the precision down to there; NaN without rows."""
    return np.array([_average_precision(t, _Order.of(s), weights) for t, s in zip(truth.T, scores.T, strict=True)])


def precisions(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """For each row (n,) the precision of all that is scored as high or higher, of one label (n,)."""
    order = _Order.of(scores)
    return order.precision(truth, np.ones(len(truth)))


class _Order:
    """Rows from the highest score down, and where each stretch of equal scores ends."""

    def __init__(self, order: np.ndarray, ends: np.ndarray, of_row: np.ndarray) -> None:
        self.order, self.ends, self.of_row = order, ends, of_row

    @staticmethod
    def of(scores: np.ndarray) -> _Order:
        order = np.argsort(-scores, kind="stable")
        falls = np.append(scores[order][1:] < scores[order][:-1], True)
        level = np.concatenate([[0], np.cumsum(falls[:-1])])
        of_row = np.empty(len(order), np.intp)
        of_row[order] = level
        return _Order(order, np.flatnonzero(falls), of_row)

    def precision(self, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
        hits = np.cumsum((weights * truth)[self.order])[self.ends]
        rows = np.cumsum(weights[self.order])[self.ends]
        found: np.ndarray = (hits / np.maximum(rows, np.finfo(np.float64).tiny))[self.of_row]
        return found


def _average_precision(truth: np.ndarray, order: _Order, weights: np.ndarray) -> float:
    own = weights * truth
    return float(own @ order.precision(truth, weights) / own.sum()) if own.sum() > 0 else np.nan


def mean_average_precision(sample: Sample, seed: int) -> Estimate | None:
    """The mean over labels that rows have. Its variance is that over draws of the groups (Rubin's Bayesian bootstrap,
    1981), at least that of half a wrong row for each label.
    """
    there = (sample.weights[:, None] * sample.y).sum(axis=0)
    labels = np.flatnonzero(there > 0)
    if not len(labels):
        return None
    orders = [(sample.y[:, c], _Order.of(sample.proba[:, c])) for c in labels]
    own = np.array([_average_precision(truth, order, sample.weights) for truth, order in orders])
    rng, n_groups = np.random.default_rng(seed), int(sample.groups.max()) + 1
    drawn = []
    for _ in range(_DRAWS):
        weights = sample.weights * rng.exponential(size=n_groups)[sample.groups]
        drawn.append(np.mean([_average_precision(truth, order, weights) for truth, order in orders]))
    smooth = (own * there[labels] + 0.5) / (there[labels] + 1)
    least = float((smooth * (1 - smooth) / (there[labels] + 1)).sum()) / len(labels) ** 2
    return wilson_from_variance(float(own.mean()), float(smooth.mean()), max(float(np.var(drawn)), least))


def _f1(sample: Sample, said: np.ndarray, *, micro: bool) -> Estimate:
    """F1 over all answers, or the mean of that of each label that occurs; by the delta method, over groups."""
    hits = 2.0 * (said & sample.y)
    both = said.astype(np.float64) + sample.y
    if micro:
        hits, both = hits.sum(axis=1, keepdims=True), both.sum(axis=1, keepdims=True)
    top, bottom = sample.weights @ hits, sample.weights @ both
    there = bottom > 0
    if not there.any():
        return wilson(1.0, sample.n)  # no label anywhere, and none predicted
    f1, count = top[there] / bottom[there], int(there.sum())
    influence = ((hits[:, there] - f1 * both[:, there]) * (sample.n / bottom[there])).sum(axis=1) / count
    smooth = (top[there] / 2 + 0.5) / (bottom[there] / 2 + 1)
    least = float((smooth * (1 - smooth) / (bottom[there] / 2 + 1)).sum()) / count**2
    variance = max(sample.variance_of_mean(influence), least)
    return wilson_from_variance(float(f1.mean()), float(smooth.mean()), variance)
