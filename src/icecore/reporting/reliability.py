"""Whether stated confidence can be trusted: the reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.evaluation import Bin as Measured
from icecore.evaluation import Estimate
from icecore.evaluation import reliability as measured
from icecore.reporting import words
from icecore.reporting.charts import Scale, path, ticks
from icecore.reporting.material import Scored

_LEAST = 20
_BINS = 10
_CLOSE = 0.03


@dataclass(frozen=True, slots=True)
class Bin:
    """Items of which the model was equally sure: how sure, how often right, how many, and where it is drawn."""

    sure: float
    right: Estimate
    items: int
    x: float
    y: float
    low: float
    high: float
    r: float


@dataclass(frozen=True)
class Reliability:
    """The diagram: its dots, the line through them, marks as (value, x, y), and what it says in words."""

    bins: tuple[Bin, ...]
    path: str
    marks: tuple[tuple[float, float, float], ...]
    said: str
    gap: float


def reliability(scored: Scored) -> Reliability | None:
    """The diagram of the scored items; None where there are too few."""
    y, proba, groups = (scored.only(values) for values in (scored.y, scored.proba, scored.groups))
    if len(y) < _LEAST:
        return None
    low = 0.1 * np.floor(10 * float(proba.max(1).min()))
    across, up = Scale(low, 1, 50, 400), Scale(low, 1, 350, 20)
    bins = tuple(_bin(own, len(y), across, up) for own in measured(y, proba, groups, bins=_BINS).bins)
    gap = sum((own.sure - own.right.value) * own.items for own in bins) / len(y)
    marks = tuple((value, across(value), up(value)) for value in ticks(low, 1))
    return Reliability(bins, path([(own.x, own.y) for own in bins]), marks, _said(bins, gap), gap)


def _bin(own: Measured, total: int, across: Scale, up: Scale) -> Bin:
    right, items = own.accuracy, round(own.items)
    radius = round(4 + 8 * (items / total) ** 0.5, 1)
    return Bin(
        own.confidence, right, items, across(own.confidence), up(right.value), up(right.low), up(right.high), radius
    )


def _said(bins: tuple[Bin, ...], gap: float) -> str:
    surest = bins[-1]
    told = (
        f"Of the {words.count(surest.items, 'item')} that it is surest of, {words.percent(surest.sure)} on average, "
        f"{words.percent(surest.right.value)} are right."
    )
    if abs(gap) < _CLOSE:
        return f"It is about as often right as it says it is. {told}"
    way = "too sure of itself" if gap > 0 else "more often right than it says"
    return f"On average it is {way}, by {words.percent(abs(gap))}. {told}"
