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
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" if figure else "-"
