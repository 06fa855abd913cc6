"""Trees of tensors, whatever a module gives, and their ghosts: the same tree with nothing in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

Shape: TypeAlias = tuple[int, ...]
Plain: TypeAlias = bool | int | float | str | torch.dtype | torch.device | None
FEW, MORE = 2, 3  # items of the two passes that tell which sizes count them


@dataclass(frozen=True, slots=True)
class Tree:
    """A nested value taken apart.

    Attributes:
        leaves: what it holds, tensors and anything else, depth first.
        structure: how to put leaves together again.
    """

    leaves: tuple[Any, ...]
    structure: Any

    @staticmethod
    def of(value: Any) -> Tree:
        """Take a value apart: tuples, lists, mappings, outputs of Transformers."""
        leaves, structure = pytree.tree_flatten(value)
        return Tree(tuple(leaves), structure)

    @property
    def plain(self) -> bool:
        """Whether it is known all through: no object of another kind, which may hold tensors too."""
        return all(isinstance(leaf, Tensor | Plain) for leaf in self.leaves)

    def with_leaves(self, leaves: Sequence[Any]) -> Any:
        """The value with other leaves."""
        return pytree.tree_unflatten(list(leaves), self.structure)

    @property
    def tensors(self) -> list[int]:
        """Which leaves are tensors."""
        return [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)]


@dataclass(frozen=True, slots=True)
class Ghost:
    """The shape of a tensor for any number of items, without its values.

    Attributes:
        few: the shape for `FEW` items.
        more: the shape for `MORE` items.
        dtype: of the values.
        constant: the values, where they are no real numbers and do not depend on the number of items.
    """

    few: Shape
    more: Shape
    dtype: torch.dtype
    constant: Tensor | None

    @staticmethod
    def of(few: Tensor, more: Tensor) -> Ghost:
        """From one tensor of two passes."""
        plain = not few.is_floating_point() and few.shape == more.shape
        return Ghost(tuple(few.shape), tuple(more.shape), few.dtype, few.clone() if plain else None)

    def shape(self, n: int) -> Shape:
        """The shape for n items: sizes that count items, or windows of them, grow in proportion."""
        return tuple(a + (b - a) * (n - FEW) for a, b in zip(self.few, self.more, strict=True))

    @property
    def counts_items(self) -> bool:
        """Whether the shape depends on how many items there are."""
        return self.few != self.more

    def tensor(self, n: int, device: torch.device) -> Tensor:
        """NaN in one place of memory; zeros where there is no NaN."""
        if self.constant is not None:
            return self.constant.to(device)
        value = float("nan") if self.dtype.is_floating_point or self.dtype.is_complex else 0
        return torch.full((), value, dtype=self.dtype, device=device).expand(self.shape(n))


def ghosts_of(few: Tree, more: Tree) -> Tree:
    """The tree with a `Ghost` in the place of every tensor, from what two passes gave."""
    both = zip(few.leaves, more.leaves, strict=True)
    return Tree(tuple(Ghost.of(a, b) if isinstance(a, Tensor) else a for a, b in both), few.structure)


def haunted(tree: Tree, n: int, device: torch.device) -> Any:
    """The value with NaN in the place of every ghost, and None for what is no tensor and not plain."""
    leaves = [leaf.tensor(n, device) if isinstance(leaf, Ghost) else leaf for leaf in tree.leaves]
    return tree.with_leaves([leaf if isinstance(leaf, Tensor | Plain) else None for leaf in leaves])


def cloned(value: Any) -> Any:
    """The value with tensors that have memory of their own, so that they can be written to."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, value)


def rows_of(inputs: Any, n: int) -> Any:
    """Inputs of n items: the first item's whole numbers and masks again and again, zeros for its real numbers."""

    def again(value: Tensor) -> Tensor:
        first = torch.zeros_like(value[:1]) if value.is_floating_point() else value[:1]
        return first.expand(n, *value.shape[1:]).contiguous()

    return pytree.tree_map(lambda leaf: again(leaf) if isinstance(leaf, Tensor) else leaf, inputs)


def item_shapes(inputs: Any) -> tuple[Shape, ...]:
    """Shapes of one item of the arguments of a forward."""
    values = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    return tuple(tuple(value.shape[1:]) for value in values)


def holds_nan(value: Any) -> bool:
    """Whether any real number of a tree is NaN."""
    return any(
        bool(leaf.isnan().any())
        for leaf in Tree.of(value).leaves
        if isinstance(leaf, Tensor) and leaf.is_floating_point()
    )
