"""The headline: how good the model is beside what it has to beat, as a plot and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icecore.artifact import Figure, TargetRef
from icecore.reporting import words
from icecore.reporting.charts import Scale, ticks

OWN = "this model"
HEADLINES = ("accuracy", "r2", "mean_average_precision")


@dataclass(frozen=True, slots=True)
class Line:
    """One model on the plot: its figure and interval, as numbers and as places."""

    name: str
    figure: Figure
    x: float
    low: float
    high: float
    own: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of the table: its name, what it means, and a cell for each model, None where there is none."""

    name: str
    meaning: str
    cells: tuple[Figure | None, ...]


@dataclass(frozen=True)
class Figures:
    """The figures of one target.

    Attributes:
        headline: the metric that the plot shows; None where nothing was measured.
        value: its figure.
        share: whether it is a share of items.
        lines: of the plot.
        marks: values along the axis of the plot, with their places.
        columns: of the table.
        rows: of the table.
        evaluation: on which rows, in words.
    """

    headline: str | None
    value: Figure | None
    share: bool
    lines: tuple[Line, ...]
    marks: tuple[tuple[float, float], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    evaluation: str


def figures(target: TargetRef) -> Figures:
    """What was measured of a target when its model was fitted."""
    models = {OWN: target.metrics, **target.baselines}
    headline = next((name for name in HEADLINES if target.metrics.get(name)), None)
    found = [(name, own[headline]) for name, own in models.items() if headline and own.get(headline)]
    lines, marks = _plot([(name, figure) for name, figure in found if figure is not None])
    return Figures(
        headline=headline,
        value=target.metrics[headline] if headline else None,
        share=headline in words.SHARES,
        lines=lines,
        marks=marks,
        columns=tuple(words.COLUMNS.get(name, name.replace("_", " ")) for name in models),
        rows=tuple(
            Row(words.metric(name), words.MEANINGS.get(name, ""), tuple(own.get(name) for own in models.values()))
            for name in target.metrics
        ),
        evaluation=target.evaluation,
    )


def _plot(found: Sequence[tuple[str, Figure]]) -> tuple[tuple[Line, ...], tuple[tuple[float, float], ...]]:
    """Lines and marks on an axis from 0 to 1, longer where a figure goes beyond."""
    low = min([0.0, *(figure.low for _, figure in found)])
    high = max([1.0, *(figure.high for _, figure in found)])
    scale = Scale(low, high, 0, 100)
    lines = tuple(
        Line(
            words.COLUMNS.get(name, name.replace("_", " ")), own, scale(own.value), scale(own.low), scale(own.high),
            name == OWN,
        )
        for name, own in found
    )  # fmt: skip
    return lines, tuple((value, scale(value)) for value in ticks(low, high))
