"""What features are worth: right answers of a logistic regression on rows that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from icecore.evaluation import Estimate, paired_difference, wilson

FOLDS = 4
PENALTY = 0.01


@dataclass(frozen=True)
class Probe:
    """Labels, and the folds in which features are tried: the same for all sides.

    Args:
        y: class names, (n,).
        folds: how many of the four are tried.
    """

    y: np.ndarray
    folds: int = FOLDS

    def right(self, X: np.ndarray) -> np.ndarray:
        """Which rows are classified rightly by a model fitted on the other folds. Float (n tried,)."""
        splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, self.y))[: self.folds]
        return np.concatenate([self._right(X, *split) for split in splits])

    def _right(self, X: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=200, tol=1e-3))
        return np.asarray(model.fit(X[train], self.y[train]).predict(X[test]) == self.y[test], dtype=float)


@dataclass(frozen=True)
class Worth:
    """Accuracy of one side, and how much it differs from the reference on the same rows."""

    accuracy: Estimate
    difference: Estimate

    @property
    def same(self) -> bool:
        """Whether the interval of the difference holds 0."""
        return self.difference.low <= 0 <= self.difference.high

    def json(self) -> dict[str, Any]:
        """For a file of results."""
        return {
            "accuracy": _json(self.accuracy), "difference": _json(self.difference), "same": self.same
        }  # fmt: skip


def worth(probe: Probe, sides: dict[str, np.ndarray], reference: str) -> dict[str, Worth]:
    """Of features by side, (n, d) each."""
    right = {name: probe.right(X) for name, X in sides.items()}
    rows = np.arange(len(right[reference]))
    return {
        name: Worth(wilson(own.mean(), len(own)), paired_difference(own, right[reference], rows))
        for name, own in right.items()
    }


def _json(estimate: Estimate) -> Sequence[float]:
    return [float(estimate.value), float(estimate.low), float(estimate.high)]
