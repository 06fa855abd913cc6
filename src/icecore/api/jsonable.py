"""The JSON forms of what the verbs return."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from icecore.data import BadItem


def as_json(value: Any) -> Any:
    """Plain JSON of dataclasses, manifests, arrays, paths and containers; NaN becomes null."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): as_json(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [as_json(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def bad_json(bad: Sequence[BadItem]) -> list[dict[str, Any]]:
    """Bad items with row, input and reason."""
    return [{"row": item.row, "input": item.input, "reason": item.reason} for item in bad]


def one_or_by_target(values: Mapping[str, Any]) -> Any:
    """The value of the only target, or all by name."""
    return next(iter(values.values())) if len(values) == 1 else dict(values)
