"""How long a ranking may take, as people write it: seconds, minutes, hours, a share of the whole, or all of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from icecore.errors import UsageError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Budget:
    """A time, or a share of what the whole would take.

    Example:
        >>> [Budget.of(text).seconds(whole=1000) for text in ("90s", "10%", "all")]
        [90.0, 100.0, inf]
    """

    amount: float
    share: bool = False

    @staticmethod
    def of(given: float | str) -> Budget:
        """From seconds, or a text such as `90s`, `5m`, `2h`, `10%` or `all`. Raises UsageError."""
        text = f"{given}".strip().lower()
        if text == "all":
            return Budget(math.inf)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh%]?)", text)
        if not found or not float(found[1]):
            raise UsageError(
                f"The budget is {given!r}.",
                expected="Expected a time such as 90s, 5m or 2h, a share of what everything would take (10%), or all.",
            )
        number, unit = float(found[1]), found[2]
        return Budget(number / 100, share=True) if unit == "%" else Budget(number * _SECONDS[unit])

    def seconds(self, whole: float) -> float:
        """How many, where everything would take `whole`."""
        return self.amount * whole if self.share else self.amount


def spoken(seconds: float) -> str:
    """A time for people.

    Example:
        >>> spoken(0.4), spoken(75), spoken(7200)
        ('0.4 s', '75 s', '2.0 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
