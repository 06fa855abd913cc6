"""How far off a model of numbers is: what it said against what was so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icecore.artifact import TargetEvidence
from icecore.reporting.charts import Scale, ticks

_DRAWN = 1500


@dataclass(frozen=True)
class Residuals:
    """The plot of predictions against truths.

    Attributes:
        dots: (x, y) of some of the items, at most 1,500.
        marks: (value, x, y) along the axes.
        ideal: ends of the line where both are equal, (x, y, x, y).
        drawn: how many dots there are.
        items: how many items were scored.
        typical: the median distance between the two.
        rows: places in the evidence of the items that are farthest off, the worst first.
        captions: what is said of these.
    """

    dots: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, float, float], ...]
    ideal: tuple[float, float, float, float]
    drawn: int
    items: int
    typical: float
    rows: tuple[int, ...]
    captions: tuple[str, ...]


def residuals(target: TargetEvidence, *, worst: int = 24, seed: int = 0) -> Residuals | None:
    """The plot of a regression's scored items; None where there are fewer than two."""
    at = np.flatnonzero(target.scored)
    if len(at) < 2:
        return None
    true, said = np.asarray(target.y, float)[at], np.asarray(target.proba, float)[at].reshape(len(at), -1)[:, 0]
    low, high = float(min(true.min(), said.min())), float(max(true.max(), said.max()))
    across, up = Scale(low, high, 60, 500), Scale(low, high, 360, 20)
    some = np.random.default_rng(seed).permutation(len(at))[:_DRAWN]
    off = np.abs(said - true)
    order = np.argsort(-off, kind="stable")[:worst]
    return Residuals(
        dots=tuple((across(true[i]), up(said[i])) for i in some),
        marks=tuple((value, across(value), up(value)) for value in ticks(low, high)),
        ideal=(across(low), up(low), across(high), up(high)),
        drawn=len(some),
        items=len(at),
        typical=float(np.median(off)),
        rows=tuple(at[order].tolist()),
        captions=tuple(f"{true[i]:g}, the model said {said[i]:.4g}" for i in order),
    )
