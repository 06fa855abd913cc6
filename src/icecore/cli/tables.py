"""The table of figures that `fit`, `evaluate` and `demo` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icecore.cli.output import say, table

_SUSPECTS = 5


def figures(columns: Mapping[str, Mapping[str, Any]]) -> None:
    """A line for each metric, a column for each model, values with their 95 % intervals."""
    names = list(next(iter(columns.values())))
    rows = [[name.replace("_", " "), *(_cell(column.get(name)) for column in columns.values())] for name in names]
    table(["", *(name.replace("_", " ") for name in columns)], rows)


def _cell(figure: Any) -> str:
    if not figure:
        return "-"
    each = (figure.value, figure.low, figure.high)
    value, low, high = (f"{one:{_form(max(map(abs, each)))}}" for one in each)
    return f"{value} [{low}, {high}]"


def _form(largest: float) -> str:
    """Three places; of small and large numbers in a unit of their own four digits."""
    return ".3f" if largest < 1e-12 or 0.001 <= largest < 1000 else ".4g"


def learned(curve: Any) -> None:
    """A learning curve and where it leads."""
    say("", "accuracy by number of labelled items:")
    rows = [(f"{point.rows:,}", str(point.accuracy)) for point in curve.points]
    table(("items", "accuracy"), rows, right=(0,))
    now, twice = curve.now.value, curve.twice
    say(f"twice the labels ({2 * curve.rows:,}): {twice.low:.3f} to {twice.high:.3f}, now {now:.3f} on this curve")


def doubtful(suspects: Sequence[Any]) -> None:
    """The first items whose label is likely wrong."""
    if not suspects:
        return
    count = len(suspects)
    say("", f"{count:,} {'labels are' if count > 1 else 'label is'} likely wrong (all are in --json):")
    first = [(one.input, one.label, one.likely, f"{one.likely_probability:.3f}") for one in suspects[:_SUSPECTS]]
    table(("input", "label", "likely", "probability"), first, right=(3,))
