"""Class weights."""

from __future__ import annotations

from typing import Literal

import numpy as np

ClassWeight = Literal["balanced"] | None


def class_weights(codes: np.ndarray, k: int, class_weight: ClassWeight) -> np.ndarray:
    """A weight for each class (k,): ones, or n / (k * count) so that every class counts the same.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), 2, "balanced").tolist()
        [0.6666666666666666, 2.0]
    """
    if class_weight is None:
        return np.ones(k)
    return len(codes) / (k * np.bincount(codes, minlength=k).astype(np.float64))
