"""What a metric is computed on: labels and probabilities, with weights and with the groups that share their luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.errors import UsageError

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Sample:
    """n scored rows. `weights` sum to the effective number of independent items, so that they read as counts.

    Rows of one group (exact duplicates, or one row predicted in several repeats) count as one item of their weight.
    """

    y: np.ndarray  # (n,) class codes
    proba: np.ndarray  # (n, n_classes)
    weights: np.ndarray  # (n,), summing to the effective number of items
    groups: np.ndarray  # (n,) codes 0..g-1

    @property
    def n(self) -> float:
        """Effective number of independent items (Kish 1965)."""
        return float(self.weights.sum())

    @property
    def predicted(self) -> np.ndarray:
        """(n,) the most probable class of each row."""
        result: np.ndarray = self.proba.argmax(axis=1)
        return result

    def mean(self, values: np.ndarray) -> float:
        """Weighted mean of one value a row."""
        return float(self.weights @ values / self.n)

    def variance_of_mean(self, values: np.ndarray) -> float:
        """Variance of that mean, from the sums over groups."""
        sums = self.by_group(values - self.mean(values))
        count = len(sums)
        return float((sums**2).sum()) * count / max(count - 1, 1)

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """(groups,) the part that each group has in a weighted mean."""
        return np.bincount(self.groups, self.weights * values) / self.n


def make_sample(
    y: np.ndarray, proba: np.ndarray, n_classes: int, weights: np.ndarray | None, groups: np.ndarray | None
) -> Sample:
    """Check and bring into form. Raises UsageError where shapes or values cannot be right."""
    y, proba = np.asarray(y), np.asarray(proba, dtype=np.float64)
    _require_shapes(y, proba, n_classes)
    _require_values(y, proba, n_classes)
    raw = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    _require_weights(raw, len(y))
    codes = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    of_group = np.bincount(codes, raw)
    effective = of_group.sum() ** 2 / (of_group**2).sum()
    return Sample(y.astype(np.intp), proba, raw * (effective / raw.sum()), codes)


def _require_shapes(y: np.ndarray, proba: np.ndarray, n_classes: int) -> None:
    if y.ndim != 1 or proba.shape != (len(y), n_classes) or len(y) == 0:
        raise UsageError(
            f"Labels of shape {y.shape} came with probabilities of shape {proba.shape}.",
            expected=f"Expected (n,) and (n, {n_classes}), with at least one row.",
        )


def _require_values(y: np.ndarray, proba: np.ndarray, n_classes: int) -> None:
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= n_classes:
        raise UsageError("The labels are not class codes.", expected=f"Expected integers from 0 to {n_classes - 1}.")
    sums = proba.sum(axis=1)
    if not (np.abs(sums - 1) <= _SUM_TOLERANCE).all() or proba.min() < 0:
        raise UsageError(
            "The probabilities have negative or missing values, or rows that do not sum to one.",
            expected="Expected one probability a class in every row.",
            do="Leave out the rows that no fold has tested.",
        )


def _require_weights(weights: np.ndarray, n: int) -> None:
    if weights.shape != (n,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise UsageError(f"The weights have shape {weights.shape}.", expected=f"Expected {n} numbers above zero.")
