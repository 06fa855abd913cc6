"""The table of figures that `fit`, `evaluate` and `demo` show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from icecore.cli.output import table


def figures(columns: Mapping[str, Mapping[str, Any]]) -> None:
    """A line for each metric, a column for each model, values with their 95 % intervals."""
    names = list(next(iter(columns.values())))
    rows = [[name.replace("_", " "), *(_cell(column.get(name)) for column in columns.values())] for name in names]
    table(["", *(name.replace("_", " ") for name in columns)], rows)


def _cell(figure: Any) -> str:
    if not figure:
        return "-"
    value, low, high = (_digits(each) for each in (figure.value, figure.low, figure.high))
    return f"{value} [{low}, {high}]"


def _digits(value: float) -> str:
    """Three places; of small and large numbers in a unit of their own four digits."""
    return f"{value:.3f}" if abs(value) < 1e-12 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"
