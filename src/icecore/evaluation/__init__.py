"""Evaluation: how good, and how sure. On plain arrays only.

Every figure is an `Estimate`, a value with a 95 % interval about new items from the same source. What was trained or
chosen on a row is never scored on it: `folds` keeps equal items on one side, and `cross_validate` takes the whole
procedure, choices included, as one callable. An interval counts items, not rows: duplicates and repeats add nothing.
"""

from __future__ import annotations

from icecore.evaluation.baselines import majority_baseline
from icecore.evaluation.conformal import Conformal, conformal
from icecore.evaluation.crossval import FitPredict, OutOfFold, Progress, cross_validate
from icecore.evaluation.duplicates import joined, merged, near_duplicates, near_pairs
from icecore.evaluation.estimate import Estimate, in_digits, wilson
from icecore.evaluation.folds import Fold, duplicate_groups, folds, untested
from icecore.evaluation.label_sets import LABEL_SET_METRICS, label_set_metrics, precisions
from icecore.evaluation.leaks import Leaks, leaks
from icecore.evaluation.learning import LearningCurve, learning_curve
from icecore.evaluation.metrics import METRICS, metrics
from icecore.evaluation.numbers import NUMBER_METRICS, half_width, number_metrics
from icecore.evaluation.outlying import Outlying, outlying_class
from icecore.evaluation.paired import paired_difference, paired_gain, share_right
from icecore.evaluation.ranks import RANK_METRICS, median_classes, rank_metrics
from icecore.evaluation.reliability import Bin, Reliability, reliability
from icecore.evaluation.suspects import Suspect, suspects, usual_odds
from icecore.evaluation.transferability import h_score, leep, logme
from icecore.evaluation.typicality import Typicality, outlier_scores, typicality

__all__ = [
    "LABEL_SET_METRICS",
    "METRICS",
    "NUMBER_METRICS",
    "RANK_METRICS",
    "Bin",
    "Conformal",
    "Estimate",
    "FitPredict",
    "Fold",
    "Leaks",
    "LearningCurve",
    "OutOfFold",
    "Outlying",
    "Progress",
    "Reliability",
    "Suspect",
    "Typicality",
    "conformal",
    "cross_validate",
    "duplicate_groups",
    "folds",
    "h_score",
    "half_width",
    "in_digits",
    "joined",
    "label_set_metrics",
    "leaks",
    "learning_curve",
    "leep",
    "logme",
    "majority_baseline",
    "median_classes",
    "merged",
    "metrics",
    "near_duplicates",
    "near_pairs",
    "number_metrics",
    "outlier_scores",
    "outlying_class",
    "paired_difference",
    "paired_gain",
    "precisions",
    "rank_metrics",
    "reliability",
    "share_right",
    "suspects",
    "typicality",
    "untested",
    "usual_odds",
    "wilson",
]
