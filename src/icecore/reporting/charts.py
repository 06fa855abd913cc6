"""Geometry of the plots: from figures to places in a drawing. The drawing itself is in the page's templates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight or logarithmic scale from values to places.

    Example:
        >>> Scale(0, 1, 10, 110)(0.5), round(Scale(1, 100, 0, 100, log=True)(10))
        (60.0, 50)
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies, to a tenth; values outside go to the nearer end."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, max(value, self.least)))
        share = 0.5 if high == low else min(max((at - low) / (high - low), 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def least(self) -> float:
        """The least value that has a place."""
        return min(self.low, self.high) if self.log else -math.inf


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from low to high, some `about` of them.

    Example:
        >>> ticks(0, 1), ticks(0.62, 0.9, 3)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.7, 0.8, 0.9])
    """
    span = max(high - low, 1e-9)
    raw = span / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = min((size * m for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def path(points: Sequence[tuple[float, float]]) -> str:
    """An SVG path along points.

    Example:
        >>> path([(0, 1), (2, 3)])
        'M0 1L2 3'
    """
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
