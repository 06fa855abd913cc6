"""Out-of-fold decision values for every penalty of a head, cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def sweep(
    spec: Any,
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    penalties: Sequence[float | None],
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """(len(penalties), n, n_classes): out-of-fold decision values; NaN rows where no fold tests the row, -inf for absent classes."""
    raise NotImplementedError


def ridge_loo(
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    penalties: Sequence[float],
    *,
    class_weight: Literal["balanced"] | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """(len(penalties), n, n_classes): ridge decision values for every row, from all rows but it (or its group)."""
    raise NotImplementedError
