"""Probabilities calibrated after a head was fitted, by a step that is learned from rows that the head has not seen."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.isotonic import IsotonicRegression

from icecore.heads.calibrators import TINY, Isotonic, Tempered
from icecore.heads.chain import ChainHead
from icecore.heads.ensemble import EnsembleHead
from icecore.heads.steps import Columns, Softmax, Step
from icecore.heads.temperature import temperature


def tempered(proba: np.ndarray, codes: np.ndarray) -> Tempered:
    """The temperature under which probabilities (n, k) of unseen rows are most likely, given their classes (n,).

    Example:
        >>> proba = np.where(np.eye(2)[[0, 1] * 50] == 1, 0.99, 0.01)
        >>> tempered(proba, np.array([0, 1] * 40 + [1, 0] * 10)).temperature > 1
        True
    """
    return Tempered(temperature(np.log(np.maximum(proba, TINY)), codes))


def isotonic(proba: np.ndarray, codes: np.ndarray) -> Isotonic:
    """The curves that fit probabilities (n, k) of unseen rows best, given their classes (n,)."""
    fitted = [IsotonicRegression(out_of_bounds="clip").fit(p, codes == c) for c, p in enumerate(proba.T)]
    x, y = (np.concatenate([getattr(one, name) for one in fitted]) for name in ("X_thresholds_", "y_thresholds_"))
    starts = np.cumsum([0, *(len(one.X_thresholds_) for one in fitted)])
    return Isotonic(x.astype(np.float64), y.astype(np.float64), starts.astype(np.int64), 1 / (len(proba) + 2))


def can_be_calibrated(head: object) -> bool:
    """Whether a step can be put behind a fitted head."""
    return isinstance(head, ChainHead | EnsembleHead)


def calibrated(head: object, step: Step) -> ChainHead | EnsembleHead:
    """A fitted head with a step behind its own; the one that came stays as it is. See `can_be_calibrated`.

    A temperature behind a softmax is a softmax of the product of both.
    """
    if not isinstance(head, ChainHead | EnsembleHead):
        raise TypeError(f"nothing can be put behind {type(head).__name__}")
    steps, last = list(head.steps_), []
    if steps and isinstance(steps[-1], Columns) and isinstance(step, Tempered):
        last = [steps.pop()]
    if steps and isinstance(steps[-1], Softmax) and isinstance(step, Tempered):
        steps[-1:] = [Softmax(steps[-1].temperature * step.temperature)]
    else:
        steps.append(step)
    other = copy.copy(head)
    other.steps_ = [*steps, *last]
    return other
