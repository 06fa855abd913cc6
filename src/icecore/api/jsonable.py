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
    plain = _plain(value)
    if isinstance(plain, Mapping):
        return {str(name): as_json(inner) for name, inner in plain.items()}
    if isinstance(plain, Sequence | set | frozenset) and not isinstance(plain, str | bytes):
        return [as_json(inner) for inner in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _plain(value: Any) -> Any:
    """One step towards JSON: what JSON has no word for becomes a container, a number or a text."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value


def bad_json(bad: Sequence[BadItem]) -> list[dict[str, Any]]:
    """Bad items with row, input and reason."""
    return [{"row": item.row, "input": item.input, "reason": item.reason} for item in bad]


def one_or_by_target(values: Mapping[str, Any]) -> Any:
    """The value of the only target, or all by name."""
    return next(iter(values.values())) if len(values) == 1 else dict(values)
