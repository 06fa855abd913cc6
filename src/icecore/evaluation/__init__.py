"""Evaluation: how good, and how sure. On plain arrays only.

Every figure is an `Estimate`, a value with a 95 % interval about new items from the same source. What was trained or
chosen on a row is never scored on it: `folds` keeps equal items on one side, and `cross_validate` takes the whole
procedure, choices included, as one callable. An interval counts items, not rows: duplicates and repeats add nothing.
"""

from __future__ import annotations

from icecore.evaluation.baselines import majority_baseline
from icecore.evaluation.crossval import FitPredict, OutOfFold, Progress, cross_validate
from icecore.evaluation.estimate import Estimate, wilson
from icecore.evaluation.folds import Fold, duplicate_groups, folds, untested
from icecore.evaluation.metrics import METRICS, metrics
from icecore.evaluation.paired import paired_difference, share_right
from icecore.evaluation.transferability import h_score, leep, logme

__all__ = [
    "METRICS",
    "Estimate",
    "FitPredict",
    "Fold",
    "OutOfFold",
    "Progress",
    "cross_validate",
    "duplicate_groups",
    "folds",
    "h_score",
    "leep",
    "logme",
    "majority_baseline",
    "metrics",
    "paired_difference",
    "share_right",
    "untested",
    "wilson",
]
