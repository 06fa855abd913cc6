"""Whether more labels would help: the learning curve, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icecore.evaluation import Estimate, LearningCurve
from icecore.reporting import words
from icecore.reporting.charts import Scale, path, ticks


@dataclass(frozen=True, slots=True)
class Point:
    """A figure at a number of labelled items, measured or forecast, and where it is drawn."""

    items: int
    figure: Estimate
    forecast: bool
    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """The curve: its points, the lines through them, a band of their intervals, marks, and what it says in words."""

    metric: str
    points: tuple[Point, ...]
    path: str
    forecast_path: str
    band: str
    x_marks: tuple[tuple[int, float], ...]
    y_marks: tuple[tuple[float, float], ...]
    said: str


def curve(found: LearningCurve, metric: str = "accuracy") -> Curve:
    """The drawing of a learning curve with its forecast; the numbers of items on a logarithmic axis."""
    measured = [(point.rows, point.accuracy) for point in found.points]
    return drawn(measured, [(found.rows, found.now), (2 * found.rows, found.twice)], metric)


def drawn(measured: Sequence[tuple[int, Estimate]], forecast: Sequence[tuple[int, Estimate]], metric: str) -> Curve:
    """The drawing of figures by number of items, in rising order."""
    every = [*((n, figure, False) for n, figure in measured), *((n, figure, True) for n, figure in forecast)]
    low, high = min(own.low for _, own, _ in every), max(own.high for _, own, _ in every)
    margin = max(0.02, 0.08 * (high - low))
    low, high = max(0.0, low - margin), min(1.0, high + margin)
    across, up = Scale(every[0][0], every[-1][0], 60, 500, log=True), Scale(low, high, 260, 20)
    points = tuple(Point(n, own, ahead, across(n), up(own.value)) for n, own, ahead in every)
    seen = [(point.x, point.y) for point in points if not point.forecast]
    ahead = [(point.x, point.y) for point in points if point.forecast]
    upper, lower = [(p.x, up(p.figure.high)) for p in points], [(p.x, up(p.figure.low)) for p in points]
    return Curve(
        metric=metric,
        points=points,
        path=path(seen),
        forecast_path=path([seen[-1], *ahead]) if ahead else "",
        band=path([*upper, *reversed(lower)]) + "Z",
        x_marks=_apart([(point.items, point.x) for point in points]),
        y_marks=tuple((value, up(value)) for value in ticks(low, high)),
        said=_said(measured, forecast),
    )


def _apart(marks: Sequence[tuple[int, float]], least: float = 48) -> tuple[tuple[int, float], ...]:
    """Marks from the right, leaving out those that would touch the one before."""
    kept: list[tuple[int, float]] = []
    for mark in reversed(marks):
        if not kept or kept[-1][1] - mark[1] >= least:
            kept.append(mark)
    return tuple(reversed(kept))


def _said(measured: Sequence[tuple[int, Estimate]], forecast: Sequence[tuple[int, Estimate]]) -> str:
    (few, first), (many, last) = measured[0], measured[-1]
    told = (
        f"With {few:,} labelled items it would get {words.of_hundred(first.value)} right, with {many:,} it gets "
        f"{words.of_hundred(last.value)}."
    )
    if not forecast:
        return told
    more, ahead = forecast[-1]
    return (
        f"{told} If the curve goes on as it went, {more:,} would bring {words.percent(ahead.low, 1)} to "
        f"{words.percent(ahead.high, 1)}. A forecast is no measurement: it is dashed."
    )
