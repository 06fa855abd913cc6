"""Out-of-fold predictions of any procedure that trains on some rows and predicts others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.errors import UsageError
from icecore.evaluation.folds import folds
from icecore.evaluation.metrics import metrics

if TYPE_CHECKING:
    from icecore.evaluation.estimate import Estimate

FitPredict = Callable[[np.ndarray, np.ndarray], np.ndarray]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Every row predicted by models that have not seen it, nor an equal one.

    Attributes:
        y: class codes, shape (n,).
        proba: shape (repeats, n, n_classes); NaN in rows that no fold tests.
        groups: shape (n,).
    """

    y: np.ndarray
    proba: np.ndarray
    groups: np.ndarray

    @property
    def tested(self) -> np.ndarray:
        """(n,) False for the rows that no fold tests: the only item of a class."""
        result: np.ndarray = ~np.isnan(self.proba[0, :, 0])
        return result

    @property
    def mean_proba(self) -> np.ndarray:
        """(n, n_classes): the mean over repeats, to look at single rows. As a model it would be an ensemble."""
        result: np.ndarray = self.proba.mean(axis=0)
        return result

    def stacked(self) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """The tested rows of all repeats one after another: what is true (m, ...), what was predicted (m, ...), and the
        weights and groups under which repeats steady a figure and add no items to its interval.
        """
        repeats, rows = len(self.proba), np.flatnonzero(self.tested)
        truth = np.concatenate([self.y[rows]] * repeats)
        said = self.proba[:, rows].reshape(len(truth), -1)
        weights = np.full(len(truth), 1 / repeats)
        return truth, said, {"weights": weights, "groups": np.tile(self.groups[rows], repeats)}

    def metrics(self, *, seed: int = 0) -> dict[str, Estimate | None]:
        """Figures of one model, averaged over repeats. Repeats steady the value, they add no items to the interval."""
        y, proba, how = self.stacked()
        return metrics(y, proba, self.proba.shape[2], **how, seed=seed)


def cross_validate(
    fit_predict: FitPredict,
    y: np.ndarray,
    n_classes: int,
    *,
    groups: np.ndarray | None = None,
    n_splits: int = 5,
    repeats: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
    strata: np.ndarray | None = None,
) -> OutOfFold:
    """Train and predict once a fold. What `fit_predict` chooses, it chooses from the training rows: nested by design.

    Args:
        fit_predict: called with row numbers (train, test); returns probabilities (len(test), n_classes).
        y: class codes, shape (n,).
        n_classes: columns of the probabilities.
        groups: shape (n,), from `duplicate_groups`: equal items stay on one side.
        n_splits: folds of one repeat.
        repeats: independent divisions into folds.
        seed: of the folds.
        progress: called with (done, total, label) before each fold and at the end.
        strata: codes (n,) that folds spread evenly where they are not y.

    Raises:
        DataError: where the rows cannot be folded.
        UsageError: where `fit_predict` answers in another shape.

    Example:
        >>> y = np.array([0, 1] * 10)
        >>> result = cross_validate(lambda train, test: np.full((len(test), 2), 0.5), y, 2)
        >>> print(result.metrics()["log_loss"])
        0.693 [0.663, 0.725]
    """
    y = np.asarray(y)
    plan = folds(y if strata is None else strata, groups, n_splits=n_splits, repeats=repeats, seed=seed)
    proba = np.full((repeats, len(y), n_classes), np.nan)
    for number, (train, test) in enumerate(plan):
        if progress:
            progress(number, len(plan), f"fold {number + 1} of {len(plan)}")
        proba[number * repeats // len(plan), test] = _checked(fit_predict(train, test), len(test), n_classes)
    if progress:
        progress(len(plan), len(plan), "all folds done")
    return OutOfFold(y, proba, np.arange(len(y)) if groups is None else np.asarray(groups))


def _checked(proba: np.ndarray, rows: int, n_classes: int) -> np.ndarray:
    if np.shape(proba) != (rows, n_classes) or not np.isfinite(proba).all():
        raise UsageError(
            f"The model that was cross-validated answered with shape {np.shape(proba)}, or with missing values.",
            expected=f"Expected finite probabilities of shape {(rows, n_classes)}.",
        )
    return proba
