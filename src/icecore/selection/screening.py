"""Which layers are worth the heads that take long: those not left far behind by what is quick to know of each.

A linear head and one that goes by distances do not like the same layers, so each kind has a quick cousin: ridge, and
kernel ridge regression with an RBF kernel, which ranks layers as an RBF SVM does at a tenth of the cost. A layer is
left out only where its cousin is behind by several standard errors of the difference on the same rows. So with few
rows, where nothing takes long, next to nothing is left out, and with many only what cannot win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from icecore.selection.rows import one_a_group, part_of

if TYPE_CHECKING:
    from icecore.selection.scoring import ScoredCandidate
    from icecore.tasks import Task

FAR_BEHIND = 3.0  # standard errors
_ROWS = 1000
_RIDGE = 0.05  # of the kernel, whose diagonal is one


def near(scored: ScoredCandidate) -> bool:
    """Whether it is not left far behind."""
    return scored.behind <= FAR_BEHIND * scored.behind_error


def kernel_rows(y: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Rows for `kernel_gains`: at most about a thousand, one of each group."""
    rows = part_of(y, groups, _ROWS, seed)
    return np.asarray(rows[one_a_group(groups[rows])])


def kernel_gains(
    X: np.ndarray, y: np.ndarray, task: Task, class_weight: Literal["balanced"] | None = None
) -> np.ndarray:
    """What each row (n,) adds to the score of kernel ridge regression without it; RBF kernel of the standardised
    features.

    The residual of row i without row i is a_i / C_ii, where C is the inverse of (K + ridge I) and a = C Y (Rifkin and
    Lippert 2007).
    """
    inverse = np.linalg.inv(_rbf(X) + _RIDGE * np.eye(len(X)))
    scale = np.diag(inverse)[:, None]
    return task.screened(lambda targets: np.asarray(targets - inverse @ targets / scale), y, class_weight)


def _rbf(X: np.ndarray) -> np.ndarray:
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
    products = (Z @ Z.T).astype(np.float64) / Z.shape[1]
    squares = np.diag(products)
    result: np.ndarray = np.exp(-np.maximum(squares[:, None] + squares - 2 * products, 0))
    return result
