"""Which layers deserve a closer look: closed-form leave-one-out scores, which cost one decomposition a layer.

A linear head and one that goes by distances do not like the same layers, so there is a screen for each: ridge, and
kernel ridge with an RBF kernel, which ranks layers as an RBF SVM does at a tenth of the cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.heads import penalties, ridge_loo
from icecore.selection.candidates import KERNEL_HEADS, LAST, features_of, head_name
from icecore.selection.rows import one_a_group, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from icecore.selection.candidates import Layer

_ROWS = 1000
_KEPT = 3
_RIDGE = 0.05  # of the kernel, whose diagonal is one


def screen(
    features: Mapping[str, np.ndarray],
    layers: Sequence[Layer],
    heads: Sequence[Any],
    *,
    y: np.ndarray,
    n_classes: int,
    groups: np.ndarray,
    seed: int,
) -> list[tuple[Layer, Any]]:
    """Pairs of a layer and a head to look at closely: for each kind of head its best layers, and always `last`."""
    if len(layers) <= _KEPT + 1:
        return [(layer, head) for head in heads for layer in layers]
    rows = part_of(y, groups, _ROWS, seed)
    rows = rows[one_a_group(groups[rows])]
    best: dict[bool, list[Layer]] = {}
    for kind in {head_name(head) in KERNEL_HEADS for head in heads}:
        score = kernel_score if kind else ridge_score
        scores = {layer: score(features_of(features, layer)[rows], y[rows], n_classes) for layer in layers}
        best[kind] = _best(scores)
    return [(layer, head) for head in heads for layer in best[head_name(head) in KERNEL_HEADS]]


def _best(scores: Mapping[Layer, float]) -> list[Layer]:
    """The layers of the best scores, best first, and `last`."""
    ranked = sorted(scores, key=lambda layer: -scores[layer])
    return ranked[:_KEPT] + [LAST] * (LAST in ranked[_KEPT:])


def ridge_score(X: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    """Leave-one-out accuracy of a ridge classifier, at its best penalty."""
    grid = [penalty for penalty in penalties("ridge") if penalty is not None]
    values = ridge_loo(X, y, n_classes, grid)
    return float((values.argmax(axis=2) == y).mean(axis=1).max())


def kernel_score(X: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    """Leave-one-out accuracy of kernel ridge regression on one-hot classes, RBF kernel of the standardised features.

    The residual of row i without row i is a_i / C_ii, where C is the inverse of (K + ridge I) and a = C Y (Rifkin and
    Lippert 2007).
    """
    inverse = np.linalg.inv(_rbf(X) + _RIDGE * np.eye(len(X)))
    targets = np.eye(n_classes)[y]
    values = targets - inverse @ targets / np.diag(inverse)[:, None]
    return float((values.argmax(axis=1) == y).mean())


def _rbf(X: np.ndarray) -> np.ndarray:
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
    products = (Z @ Z.T).astype(np.float64) / Z.shape[1]
    squares = np.diag(products)
    result: np.ndarray = np.exp(-np.maximum(squares[:, None] + squares - 2 * products, 0))
    return result
