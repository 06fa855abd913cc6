"""Tensors inside whatever a module takes or gives: tuples, mappings, model outputs, dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of real numbers, depth first; None where there is none. Masks and indices are passed over.

    Example:
        >>> import torch
        >>> first_tensor((None, {"mask": torch.ones(2, dtype=torch.bool), "x": torch.zeros(2, 3)})).shape
        torch.Size([2, 3])
    """
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    return next((found for part in _parts(value) if (found := first_tensor(part)) is not None), None)


def result_tensor(returned: Any) -> Tensor:
    """What a network gives in the end: its logits, else its pooled output, else its first tensor.

    Raises TypeError where it returns no tensor.
    """
    for name in ("logits", "pooler_output"):
        value = returned.get(name) if isinstance(returned, Mapping) else None
        if isinstance(value, Tensor):
            return value
    found = first_tensor(returned)
    if found is None:
        raise TypeError(f"it returned {type(returned).__name__}, which holds no tensor of real numbers")
    return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return ()
