"""Targets that are given beside the data, in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from icecore.data.readers import LABEL
from icecore.data.values import ListValues, Values
from icecore.errors import DataError


def given_targets(y: Any) -> dict[str, Values]:
    """Targets by name from one sequence (called `label`), or from a mapping or a data frame of several."""
    if isinstance(y, Mapping):
        return {str(name): as_column(values) for name, values in y.items()}
    if is_frame(y):
        return {str(name): as_column(y[name]) for name in y.columns}
    return {LABEL: as_column(y)}


def as_column(values: Any) -> ListValues:
    """A list, array or series as a column of Python objects. Raises DataError where it has more than one axis."""
    if hasattr(values, "to_list"):  # pandas and polars series
        return ListValues(values.to_list())
    if hasattr(values, "__array__") and not isinstance(values, np.ndarray):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        return ListValues(_one_axis(values).tolist())
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise DataError(f"Got {values!r} for targets.", expected="One value for each row, as a list, array or series.")
    return ListValues(list(values))


def is_frame(value: Any) -> bool:
    """Whether this is a pandas or polars data frame, without importing either."""
    return hasattr(value, "columns") and hasattr(value, "to_dict") and hasattr(value, "__getitem__")


def _one_axis(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = values.ravel() if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1:
        raise DataError(
            f"Got targets of shape {values.shape}.",
            expected="One value for each row: shape (n,). Several targets come as a mapping or a data frame.",
        )
    return flat
