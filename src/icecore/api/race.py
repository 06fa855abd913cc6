"""Networks against each other on the same items: rounds of more and more items, as far as the budget goes."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icecore.api.budgets import spoken
from icecore.api.contestants import (
    Contestant,
    How,
    LeftOut,
    common_rows,
    fatal,
    groups_of,
    require_some,
    rows_of,
)
from icecore.api.labels import Labels
from icecore.api.latest import Latest, RoundItems, Rules
from icecore.api.ranking_reports import HeatReport
from icecore.errors import DataError, IcecoreError
from icecore.evaluation import folds, untested
from icecore.features import Features
from icecore.selection import Heat, are_shares, going_on, spread_order

MOST_ITEMS = 4000  # as for the choice that `fit` makes
_LEAST_ITEMS, _LEAST_A_CLASS = 100, 5  # of the first round
_GROWTH = 4  # times as many items a round has at most: what a few items say of the time is rough
_HARDLY_MORE = 1.3  # times as many items are worth another round
_STEADY, _MOST_REPEATS = 250, 3  # predictions that figures of small data are averaged over


@dataclass(eq=False)
class Race:
    """Networks, items in the order in which they come, and what has happened so far."""

    alive: list[Contestant]
    left_out: list[LeftOut]
    labels: Labels
    usable: np.ndarray  # positions of the items that may be looked at
    how: How
    rules: Rules
    heats: list[Heat] = field(default_factory=list)
    rounds: list[HeatReport] = field(default_factory=list)
    latest: dict[str, Latest] = field(default_factory=dict)
    spent: float = 0.0
    whole: float = 0.0
    done: str = ""

    def __post_init__(self) -> None:
        strata = self.labels.task.strata(self.labels.y[self.usable])
        self.strata = len(np.unique(strata))
        self.all, self.rows = list(self.alive), self.alive[0].rows
        self.order = self.rows[self.usable[spread_order(strata, self.rules.seed)][:MOST_ITEMS]]

    def run(self) -> None:
        """Rounds, until all items were seen, one network is left, or the budget is spent."""
        n, budget = len(self.order), self.rules.budget
        least = min(n, max(_LEAST_ITEMS, _LEAST_A_CLASS * self.strata))
        size = n if n <= 2 * least or math.isinf(budget.amount) else least
        self._round(size)
        while size < n:
            self.whole = self.spent + self._cost(self.alive, size, n)
            allowed = budget.seconds(self.whole)
            if self.whole > allowed:
                return self._halve(size, allowed)
            size = min(n, _GROWTH * size)
            self._round(size)
        self.whole = self.spent
        self.done = f"All {self.rounds[-1].items:,} items were seen by all networks."
        return None

    def _halve(self, size: int, allowed: float) -> None:
        """Rounds of more and more items, as the budget allows, as long as there are several networks and items."""
        n = len(self.order)
        why = "all items were seen by those left"
        while size < n:
            names = going_on(self.heats[-1])
            after = [one for one in self.alive if one.name in names]
            if len(after) == 1 and len(self.alive) > 1:
                why = "one network was left"
                break
            most = min(n, _GROWTH * size)
            larger = self._affordable(after, size, most, allowed - self.spent)
            if larger == size:
                why = "the budget was spent"
                break
            self.alive, size = after, larger
            self._round(size)
        self.done = (
            f"All {n:,} items would have taken about {spoken(self.whole)}, more than the budget of {spoken(allowed)}: "
            f"successive halving ended at {size:,}, where {why}."
        )

    def _affordable(self, networks: Sequence[Contestant], size: int, most: int, seconds: float) -> int:
        """How many items a round may have, up to `most`; the number seen so far where it would be hardly more."""
        sizes = range(most, int(_HARDLY_MORE * size), -1)
        place = bisect.bisect_left(sizes, True, key=lambda larger: self._cost(networks, size, larger) <= seconds)
        return sizes[place] if place < len(sizes) else size

    def _cost(self, networks: Sequence[Contestant], size: int, larger: int) -> float:
        """Seconds that a round would take, and the scores after it, by what was measured."""
        extraction = sum(one.rate for one in networks) * (larger - size)
        return extraction + sum(self.latest[one.name].lasting(larger) for one in networks) * _repeats(larger)

    def _round(self, size: int) -> None:
        """All that are alive, on the first items of the order."""
        began = time.perf_counter()
        found = self._extracted(self.order[:size])
        rows = common_rows(list(found.values()))
        found = {name: features.take(np.isin(rows_of(features.dataset), rows)) for name, features in found.items()}
        y = self.labels.y[np.isin(self.rows, rows)]
        strata = self.labels.task.strata(y)
        groups = groups_of(list(found.values()))
        repeats = _repeats(size)
        plan = folds(strata, groups, n_splits=self.rules.n_folds, repeats=repeats, seed=self.rules.seed)
        items = RoundItems(y, groups, plan, repeats)
        for name, features in found.items():
            now = Latest.of(self._contestant(name), features, items, self.labels.task, self.rules, self.how.progress)
            self.latest[name] = now.after(self.latest.get(name))
        gains = {name: self.latest[name].probed.gains for name in found}
        shares = are_shares(self.labels.task, self.rules.class_weight)
        self.heats.append(Heat(gains, groups[~untested(strata, groups)], shares))
        seconds = time.perf_counter() - began
        self.spent += seconds
        self.rounds.append(HeatReport(len(rows), tuple(found), seconds))

    def _extracted(self, rows: np.ndarray) -> dict[str, Features]:
        """Features by name; a network that fails is left out from here on."""
        found = dict[str, Features]()
        errors = list[IcecoreError]()
        for one in list(self.alive):
            try:
                features = one.run(rows, self.how, ahead=len(self.order) - len(rows))
                if not len(features):
                    raise DataError(
                        f"Not one of {len(rows):,} items can be used: {next(iter(one.bad.values())).reason}."
                    )
                found[one.name] = features
            except IcecoreError as error:
                if fatal(error):
                    raise
                errors.append(error)
                self._leave_out(one, error)
        require_some(found, self.left_out, errors)
        return found

    def _leave_out(self, one: Contestant, error: IcecoreError) -> None:
        self.alive.remove(one)
        self.latest.pop(one.name, None)
        self.left_out.append(LeftOut(one.name, str(error)))
        self.heats = [
            replace(heat, gains={name: gains for name, gains in heat.gains.items() if name != one.name})
            for heat in self.heats
        ]

    def _contestant(self, name: str) -> Contestant:
        return next(one for one in self.all if one.name == name)


def _repeats(items: int) -> int:
    """How often folds are drawn for so many items."""
    return int(np.clip(_STEADY // max(1, items), 1, _MOST_REPEATS))
