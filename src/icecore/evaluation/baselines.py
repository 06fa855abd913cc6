"""The floor that every model has to rise above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.metrics import metrics

if TYPE_CHECKING:
    from icecore.evaluation.estimate import Estimate


def majority_baseline(
    y_train: np.ndarray,
    y_test: np.ndarray,
    n_classes: int,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Estimate | None]:
    """Metrics of the model that knows only the class shares of y_train and answers every row alike.

    Beside out-of-fold figures give the same labels twice: a constant can hardly overfit, while shares that change from
    fold to fold run against the labels tested, and would make the floor look lower than it is.

    Example:
        >>> import numpy as np
        >>> y = np.array([0] * 60 + [1] * 40)
        >>> print(majority_baseline(y, y, 2)["accuracy"])
        0.600 [0.502, 0.691]
    """
    shares = np.bincount(y_train, minlength=n_classes) / len(y_train)
    proba = np.tile(shares, (len(y_test), 1))
    return metrics(y_test, proba, n_classes, weights=weights, groups=groups, seed=seed)
