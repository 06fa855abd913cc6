"""All metrics of one set of predictions, each with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icecore.evaluation.labels import accuracy, balanced_accuracy, confusion, macro_f1
from icecore.evaluation.probabilities import calibration_error, log_loss
from icecore.evaluation.ranking import roc_auc
from icecore.evaluation.sample import make_sample

if TYPE_CHECKING:
    import numpy as np

    from icecore.evaluation.estimate import Estimate

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error")


def metrics(
    y: np.ndarray,
    proba: np.ndarray,
    n_classes: int,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Estimate | None]:
    """Accuracy, balanced accuracy, macro F1, log loss (nats), ROC AUC and calibration error, each with a 95 % interval.

    The intervals are about new items from the same source, with the model as it is. Values equal scikit-learn's.

    Args:
        y: class codes, integers, shape (n,).
        proba: probabilities, shape (n, n_classes), rows sum to one. The most probable class is the predicted label.
        n_classes: number of classes that the model knows; some may not occur in y.
        weights: above zero, shape (n,); only their ratios count.
        groups: shape (n,), equal for rows that are one item (duplicates, repeats): intervals count items, not rows.
        seed: of the draws behind the interval of the calibration error.

    Returns:
        One Estimate a name in METRICS; `roc_auc` is None where only one class occurs in y.

    Raises:
        UsageError: where shapes, codes or probabilities cannot be right.

    Example:
        >>> import numpy as np
        >>> y, proba = np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
        >>> print(metrics(y, proba, 2)["accuracy"])
        1.000 [0.510, 1.000]
    """
    sample = make_sample(y, proba, n_classes, weights, groups)
    matrix = confusion(sample)
    return {
        "accuracy": accuracy(matrix),
        "balanced_accuracy": balanced_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "log_loss": log_loss(sample),
        "roc_auc": roc_auc(sample),
        "calibration_error": calibration_error(sample, seed),
    }
