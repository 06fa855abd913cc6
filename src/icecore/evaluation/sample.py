"""What a metric is computed on: labels and probabilities, with weights and with the groups that share their luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.errors import UsageError

_SUM_TOLERANCE = 1e-3
_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Sample:
    """n scored rows. `weights` sum to the effective number of independent items, so that they read as counts.

    Rows of one group (exact duplicates, or one row predicted in several repeats) count as one item of their weight.
    """

    y: np.ndarray  # (n,) class codes; numbers, or (n, k) labels, where a metric is one of these
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

    def degrees(self, values: np.ndarray) -> float:
        """Degrees of freedom of that variance: 2 n / (kurtosis - 1), from four to n - 1."""
        centred = values - self.mean(values)
        second, fourth = self.mean(centred**2), self.mean(centred**4)
        return min(self.n - 1, max(4.0, 2 * self.n * second**2 / max(fourth - second**2, _TINY)))

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
    return Sample(y.astype(np.intp), proba, *_weighed(len(y), weights, groups))


def sample_of(y: np.ndarray, said: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None) -> Sample:
    """Rows of whatever kind: what is true of them, (n, ...), and what a model says, (n, ...).

    Raises UsageError where lengths or values cannot be right.
    """
    y, said = np.asarray(y), np.asarray(said, np.float64)
    if len(y) != len(said) or not len(y) or not np.isfinite(said).all() or not np.isfinite(y.astype(np.float64)).all():
        raise UsageError(
            f"{len(y)} rows of truth came with {len(said)} predictions, or with missing values among them.",
            expected="One each, finite, with at least one row.",
            do="Leave out the rows that no fold has tested.",
        )
    return Sample(y, said, *_weighed(len(y), weights, groups))


def _weighed(n: int, weights: np.ndarray | None, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n,) that sum to the effective number of items, and group codes (n,)."""
    raw = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    _require_weights(raw, n)
    codes = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    of_group = np.bincount(codes, raw)
    effective = of_group.sum() ** 2 / (of_group**2).sum()
    return raw * (effective / raw.sum()), codes


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
