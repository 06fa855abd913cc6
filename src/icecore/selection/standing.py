"""Who is ahead of whom: paired comparisons on the same rows, ties as ties, and who need not run on.

A heat is a number of rows that some networks were probed on. All are in the first; those that fall far behind are not
in the next, which has more rows. Two networks are compared in the last heat that both were in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation import Estimate, paired_difference, paired_gain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SURE = 2.576 / 1.960  # half-widths of a 99 % interval in one of 95 %


@dataclass(frozen=True, slots=True)
class Heat:
    """Networks on the same rows.

    Attributes:
        gains: by name, what each row adds to the score, (n,): whether it was right, for instance.
        groups: (n,), equal for equal items.
        shares: whether gains are shares of right answers, 0 to 1.
    """

    gains: Mapping[str, np.ndarray]
    groups: np.ndarray
    shares: bool = True

    @property
    def order(self) -> list[str]:
        """Names, the best first."""
        return sorted(self.gains, key=lambda name: -float(self.gains[name].mean()))

    def behind(self, name: str, other: str) -> Estimate:
        """How much higher the score of one is than that of another, on the same rows; negative where it is behind."""
        if self.shares:
            return paired_difference(self.gains[name], self.gains[other], self.groups)
        return paired_gain(self.gains[name], self.gains[other], self.groups)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a network stands.

    Attributes:
        name: which.
        rank: from 1; shared by those that cannot be told apart from the best of their rank.
        behind: how much higher its score is than the best's, negative or 0, on the last rows that both were tried on.
        heats: how many heats it was in.
    """

    name: str
    rank: int
    behind: Estimate
    heats: int


def going_on(heat: Heat) -> list[str]:
    """Who runs on after a heat, the best first: the better half, and everyone whose 99 % interval reaches one of it.

    More heats make more mistakes, so the interval is wider than that of ties. Who is about as good as the last of the
    better half may pass it on more items, as networks with many features do. One name means that the race is over.

    Example:
        >>> right = {"a": np.array([1] * 9 + [0]), "b": np.array([1] * 8 + [0] * 2), "c": np.zeros(10)}
        >>> going_on(Heat(right, np.arange(10)))
        ['a', 'b']
    """
    order = heat.order
    half = order[: math.ceil(len(order) / 2)]
    return [name for name in order if name in half or any(_reaches(heat.behind(name, other)) for other in half)]


def standings(heats: Sequence[Heat]) -> list[Standing]:
    """Everyone's place, the best first.

    Those of a later heat are ahead of those that it went on without. Going down the list, a network shares the rank of
    the one that leads its rank as long as the 95 % interval of their difference holds 0; else it leads the next rank.

    Example:
        >>> right = {"a": np.array([1] * 40), "b": np.array([1] * 39 + [0]), "c": np.zeros(40)}
        >>> [(one.name, one.rank) for one in standings([Heat(right, np.arange(40))])]
        [('a', 1), ('b', 1), ('c', 3)]
    """
    order = _order(heats)
    found = list[Standing]()
    leader, rank = order[0], 1
    for place, name in enumerate(order, 1):
        if name != leader and _last(heats, name, leader).behind(name, leader).high < 0:
            leader, rank = name, place
        behind = _last(heats, name, order[0]).behind(name, order[0])
        found.append(Standing(name, rank, behind, sum(name in heat.gains for heat in heats)))
    return found


def _order(heats: Sequence[Heat]) -> list[str]:
    """Everyone, those of the last heat first."""
    return list(dict.fromkeys(name for heat in reversed(heats) for name in heat.order))


def _last(heats: Sequence[Heat], one: str, other: str) -> Heat:
    return next(heat for heat in reversed(heats) if one in heat.gains and other in heat.gains)


def _reaches(behind: Estimate) -> bool:
    """Whether the wider interval holds 0."""
    return behind.value + _SURE * (behind.high - behind.value) >= 0
