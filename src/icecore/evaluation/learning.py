"""The learning curve: how accuracy grows with the number of labelled items, and what more of them would bring.

The error is taken to fall as a + b n^-c (Cortes et al. 1994; Viering and Loog 2023, "The shape of learning curves: a
review"), with a and b at least 0 and c between 0.1 and 1. The interval of the forecast is that of bootstrap samples of
the tested items, each with its own curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from icecore.errors import DataError
from icecore.evaluation.estimate import Estimate, wilson
from icecore.evaluation.folds import folds

if TYPE_CHECKING:
    from icecore.evaluation.crossval import FitPredict, Progress

FRACTIONS = (0.1, 0.2, 0.35, 0.6, 1.0)
_EXPONENTS = np.linspace(0.1, 1.0, 10)
_DRAWS = 400
_LEAST_POINTS = 3
_LEAST_A_CLASS = 2


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy with so many items to learn from (rows, the mean over folds)."""

    rows: int
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A learning curve and where it leads.

    Attributes:
        points: measured, few items first.
        rows: how many items there are in all.
        now: accuracy on the fitted curve with all of them.
        twice: with twice as many, and the 95 % interval of this forecast.
    """

    points: tuple[Point, ...]
    rows: int
    now: Estimate
    twice: Estimate

    def __str__(self) -> str:
        return f"twice the labels: {self.twice.low:.3f} to {self.twice.high:.3f} (now {self.now.value:.3f})"


def learning_curve(
    fit_predict: FitPredict,
    y: np.ndarray,
    n_classes: int,
    groups: np.ndarray | None = None,
    *,
    fractions: tuple[float, ...] = FRACTIONS,
    n_splits: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> LearningCurve:
    """Cross-validate with parts of the training rows, each part within the next, classes in their shares.

    Args:
        fit_predict: called with row numbers (train, test); returns probabilities (len(test), n_classes).
        y: class codes (n,).
        n_classes: columns of the probabilities.
        groups: (n,), equal for equal items.
        fractions: of the training rows; those that leave fewer than two rows a class are left out.
        n_splits: folds.
        seed: of folds and parts.
        progress: called with (done, total, label).

    Raises DataError where there are too few rows for three points.

    Example:
        >>> y = np.arange(200) % 2
        >>> curve = learning_curve(lambda train, test: np.full((len(test), 2), 0.5), y, 2)
        >>> [point.rows for point in curve.points], round(curve.twice.value, 3)
        ([16, 32, 56, 96, 160], 0.5)
    """
    y, groups = np.asarray(y), np.arange(len(y)) if groups is None else np.asarray(groups)
    plan = folds(y, groups, n_splits=n_splits, seed=seed)
    train_rows = float(np.mean([len(train) for train, _ in plan]))
    used = [share for share in sorted(fractions) if share * train_rows >= _LEAST_A_CLASS * n_classes]
    if len(used) < _LEAST_POINTS:
        raise DataError(
            f"{len(y)} items of {n_classes} classes are too few for a learning curve.",
            expected=f"At least {_least_rows(fractions, n_classes)} items.",
        )
    hits = np.full((len(used), len(y)), np.nan)
    for fold, (train, test) in enumerate(plan):
        order = _in_shares(y[train], groups[train], np.random.default_rng([seed, fold]))
        for number, share in enumerate(used):
            if progress:
                progress(fold * len(used) + number, len(plan) * len(used), f"learning curve, {share:.0%} of the rows")
            part = np.sort(train[order[: max(1, round(share * len(train)))]])
            hits[number, test] = np.asarray(fit_predict(part, test)).argmax(axis=1) == y[test]
    tested = ~np.isnan(hits[0])
    sizes = np.array(used) * train_rows
    return _curve(hits[:, tested], groups[tested], sizes, len(y), seed)


def _curve(hits: np.ndarray, groups: np.ndarray, sizes: np.ndarray, rows: int, seed: int) -> LearningCurve:
    codes = np.unique(groups, return_inverse=True)[1]
    shares = np.stack([np.bincount(codes, own) for own in hits]) / np.bincount(codes)
    n = shares.shape[1]
    points = tuple(Point(round(size), wilson(float(own.mean()), n)) for size, own in zip(sizes, shares, strict=True))
    asked = np.array([rows, 2 * rows], np.float64)
    value = _forecast(shares.mean(axis=1), n, sizes, asked)
    rng = np.random.default_rng(seed)
    draws = [_forecast((shares @ rng.multinomial(n, np.full(n, 1 / n))) / n, n, sizes, asked) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    now, twice = (
        Estimate(float(v), float(min(v, a)), float(max(v, b))) for v, a, b in zip(value, low, high, strict=True)
    )
    return LearningCurve(points, rows, now, twice)


def _forecast(accuracy: np.ndarray, n: int, sizes: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Accuracy at the sizes asked for, on the curve that fits those at the sizes measured."""
    smooth = (accuracy * n + 1) / (n + 2)
    weight = 1 / np.sqrt(smooth * (1 - smooth))
    best, found = np.inf, asked
    for exponent in _EXPONENTS:
        basis = np.stack([np.ones_like(sizes), (sizes / sizes[0]) ** -exponent], axis=1)
        parts, residual = nnls(basis * weight[:, None], (1 - accuracy) * weight)
        if residual < best - 1e-12:
            best, found = residual, parts[0] + parts[1] * (asked / sizes[0]) ** -exponent
    return np.asarray(np.clip(1 - found, 0.0, 1.0))


def _least_rows(fractions: tuple[float, ...], n_classes: int) -> int:
    return math.ceil(1.25 * _LEAST_A_CLASS * n_classes / sorted(fractions)[-_LEAST_POINTS])


def _in_shares(y: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of the rows of which every beginning has the classes about in their shares; groups stay together."""
    codes = np.unique(groups, return_inverse=True)[1]
    label = y[np.unique(codes, return_index=True)[1]]
    place = np.empty(len(label))
    for c in np.unique(label):
        members = rng.permutation(np.flatnonzero(label == c))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.lexsort((codes, place[codes]))
