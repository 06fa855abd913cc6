"""Networks against each other on the same items: rounds of more and more items, as far as the budget goes."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from icecore.api.budgets import Budget, spoken
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
from icecore.api.fitting import Percent
from icecore.api.labels import Labels
from icecore.api.ranking_reports import HeatReport
from icecore.errors import DataError, IcecoreError
from icecore.evaluation import Estimate, Fold, folds, leep, untested
from icecore.features import Features
from icecore.selection import Heat, Probed, are_shares, going_on, probe, spread_order
from icecore.tasks.base import ClassWeight

OF_CLASSES = ("classification", "ordinal")
MOST_ITEMS = 4000  # as for the choice that `fit` makes
_LEAST_ITEMS, _LEAST_A_CLASS = 100, 5  # of the first round
_HARDLY_MORE = 1.3  # times as many items are worth another round
_STEADY, _MOST_REPEATS = 250, 3  # predictions that figures of small data are averaged over


@dataclass(frozen=True, slots=True)
class Latest:
    """What a network's last round said."""

    probed: Probed
    leep: Estimate | None
    items: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How probes are made, and how long all may take."""

    heads: tuple[Any, ...]
    class_weight: ClassWeight
    n_folds: int
    seed: int
    budget: Budget


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
    probing: float = 0.0  # seconds of the last round's probes, for a network, an item and a drawing of folds
    whole: float = 0.0
    done: str = ""

    def __post_init__(self) -> None:
        strata = self.labels.task.strata(self.labels.y[self.usable])
        self.strata = len(np.unique(strata))
        self.all, self.rows = list(self.alive), self.alive[0].rows
        self.order = self.rows[self.usable[spread_order(strata, self.rules.seed)][:MOST_ITEMS]]

    def run(self) -> None:
        """Rounds, until all items were seen, one network is left, or the budget is spent."""
        n = len(self.order)
        least = min(n, max(_LEAST_ITEMS, _LEAST_A_CLASS * self.strata))
        size = n if n <= 2 * least or math.isinf(self.rules.budget.amount) else least
        self._round(size, _repeats(size) if size == n else 1)
        self.whole = self.spent + self._cost(self.all, size, n)
        allowed = self.rules.budget.seconds(self.whole)
        if size < n and self.whole <= allowed:
            self._round(n, _repeats(n))
        elif size < n:
            self._halve(self._wider(size, allowed), allowed)
        self.done = self.done or f"All {n:,} items were seen by all networks."

    def _wider(self, size: int, allowed: float) -> int:
        """A round of all networks with as many items as two thirds of what is left of the budget allow, if many more.

        Returns the number of items seen.
        """
        larger = self._affordable(self.alive, size, len(self.order), (allowed - self.spent) * 2 / 3)
        if larger > size:
            self._round(larger, _repeats(larger))
        return larger

    def _halve(self, size: int, allowed: float) -> None:
        """Rounds of twice as many items, or as the budget allows, as long as there are several networks and items."""
        n = len(self.order)
        why = "all items were seen by those left"
        while size < n:
            names = going_on(self.heats[-1])
            after = [one for one in self.alive if one.name in names]
            if len(after) == 1 and len(self.alive) > 1:
                why = "one network was left"
                break
            larger = self._affordable(after, size, min(n, 2 * size), allowed - self.spent)
            if larger == size:
                why = "the budget was spent"
                break
            self.alive, size = after, larger
            self._round(size, _repeats(size))
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
        """Seconds that a round would take, by what was measured."""
        extraction = sum(one.rate for one in networks) * (larger - size)
        return extraction + self.probing * larger * _repeats(larger) * len(networks)

    def _round(self, size: int, repeats: int) -> None:
        """All that are alive, on the first items of the order, in folds that are drawn so many times."""
        began = time.perf_counter()
        found = self._extracted(self.order[:size])
        rows = common_rows(list(found.values()))
        found = {name: features.take(np.isin(rows_of(features.dataset), rows)) for name, features in found.items()}
        y = self.labels.y[np.isin(self.rows, rows)]
        strata = self.labels.task.strata(y)
        groups = groups_of(list(found.values()))
        plan = folds(strata, groups, n_splits=self.rules.n_folds, repeats=repeats, seed=self.rules.seed)
        middle = time.perf_counter()
        for name, features in found.items():
            self.latest[name] = self._probed(name, features, y, groups, plan)
        gains = {name: self.latest[name].probed.gains for name in found}
        shares = are_shares(self.labels.task, self.rules.class_weight)
        self.heats.append(Heat(gains, groups[~untested(strata, groups)], shares))
        self.probing = (time.perf_counter() - middle) / (size * repeats * len(found))
        self.spent += time.perf_counter() - began
        self.rounds.append(HeatReport(len(rows), tuple(found), time.perf_counter() - began))

    def _extracted(self, rows: np.ndarray) -> dict[str, Features]:
        """Features by name; a network that fails is left out from here on."""
        found = dict[str, Features]()
        errors = list[IcecoreError]()
        for one in list(self.alive):
            try:
                features = one.run(rows, self.how)
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

    def _probed(self, name: str, features: Features, y: np.ndarray, groups: np.ndarray, plan: Sequence[Fold]) -> Latest:
        contestant = next(one for one in self.all if one.name == name)
        task, rules = self.labels.task, self.rules
        named = {title: column for title, column in features.named().items() if column in contestant.columns}
        matrices = {title: features.matrix(column) for title, column in named.items()}
        with self.how.progress.task(f"probing {name}", 100) as shown, threadpool_limits(1, user_api="blas"):
            probed = probe(
                matrices, y, task, groups, plan,
                heads=rules.heads, class_weight=rules.class_weight, seed=rules.seed, progress=Percent(shown.advance),
            )  # fmt: skip
        own = None
        if contestant.logits is not None and task.name in OF_CLASSES:
            own = leep(probabilities(features.matrix(contestant.logits)), y, len(task.classes), groups=groups)
        return Latest(probed, own, len(y))


def _repeats(items: int) -> int:
    """How often folds are drawn for so many items."""
    return int(np.clip(_STEADY // max(1, items), 1, _MOST_REPEATS))


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Rows as they are where they are probabilities already, as of networks that end in a softmax; else a softmax."""
    sums = scores.sum(axis=1)
    if scores.min() >= 0 and np.abs(sums - 1).max() < 1e-3:
        return np.asarray(scores / sums[:, None])
    return np.asarray(softmax(scores.astype(np.float64), axis=1))
