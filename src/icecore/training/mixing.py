"""Mixup: a batch of which every item is a mixture of two (Zhang et al. 2018; Verma et al. 2019 at inner layers)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from icecore.prefix.trees import Tree
from icecore.training.examples import Batch


def mixed(value: Tensor, other: Tensor, share: float) -> Tensor:
    """A share of each row (n, ...), and the rest of another, (n,) positions."""
    return value * share + value[other] * (1 - share)


def mixed_batch(batch: Batch, other: Tensor, share: float) -> Batch:
    """A batch whose items are mixtures: at the boundary, or of inputs where there is none."""
    if batch.boundary is None:
        return Batch(None, mixed(batch.inputs, other, share), batch.items)
    tree = Tree.of(batch.boundary)
    leaves = [mixed(leaf, other, share) if _is_of(leaf, len(other)) else leaf for leaf in tree.leaves]
    return Batch(tree.with_leaves(leaves), batch.inputs, batch.items)


def _is_of(leaf: Any, n: int) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point() and len(leaf) == n
