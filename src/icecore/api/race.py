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
from icecore.selection import (
    Heat,
    Probed,
    TransferScores,
    are_shares,
    going_on,
    probe,
    spread_order,
    transfer_scores,
)
from icecore.tasks.base import ClassWeight

OF_CLASSES = ("classification", "ordinal")
MOST_ITEMS = 4000  # as for the choice that `fit` makes
_LEAST_ITEMS, _LEAST_A_CLASS = 100, 5  # of the first round
_GROWTH = 4  # times as many items a round has at most: what a few items say of the time is rough
_HARDLY_MORE = 1.3  # times as many items are worth another round
_POWER, _MOST_POWER = (
    1.0,
    3.0,
)  # of the number of items, by which the time of probes grows: where few were seen, and at most
_BENDS = 0.5  # by how much the power is higher for the next round than it was from the last one to this
_BESIDE = 0.5  # of the time of probes, for the scores that are shown beside them
_STEADY, _MOST_REPEATS = 250, 3  # predictions that figures of small data are averaged over


@dataclass(frozen=True)
class Field:
    """The items of a round: what is to be predicted of them, and their folds."""

    y: np.ndarray
    groups: np.ndarray
    plan: Sequence[Fold]


@dataclass(frozen=True)
class Latest:
    """What a network's last round said.

    Attributes:
        probed: by the probes.
        features: of its items.
        field: its items.
        seconds: that its probes took for one drawing of folds.
        power: of the number of items, by which they will take longer in the next round.
    """

    probed: Probed
    features: Features
    field: Field
    seconds: float
    power: float = _POWER

    @property
    def items(self) -> int:
        """How many."""
        return len(self.field.y)

    def lasting(self, items: int) -> float:
        """Seconds that probes of so many items would take."""
        return float(self.seconds * (items / self.items) ** self.power)

    def after(self, other: Latest | None) -> Latest:
        """The same after an earlier round: what grows fastest, decompositions, has a larger share in each round."""
        if other is None or other.items >= self.items:
            return self
        grown = math.log(self.seconds / other.seconds) / math.log(self.items / other.items)
        return replace(self, power=float(np.clip(grown + _BENDS, _POWER, _MOST_POWER)))


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
        self._round(size)
        self.whole = self.spent + self._cost(self.alive, size, n)
        allowed = self.rules.budget.seconds(self.whole)
        if size < n and self.whole <= allowed:
            self._round(n)
        elif size < n:
            self._halve(size, allowed)
        self.done = self.done or f"All {n:,} items were seen by all networks."

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
        probing = sum(self.latest[one.name].lasting(larger) for one in networks)
        return float(extraction + probing * _repeats(larger) * (1 + _BESIDE))

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
        for name, features in found.items():
            now = self._probed(name, features, Field(y, groups, plan), repeats)
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

    def _probed(self, name: str, features: Features, items: Field, repeats: int) -> Latest:
        began, rules = time.perf_counter(), self.rules
        with self.how.progress.task(f"probing {name}", 100) as shown, threadpool_limits(1, user_api="blas"):
            probed = probe(
                self._matrices(name, features), items.y, self.labels.task, items.groups, items.plan,
                heads=rules.heads, class_weight=rules.class_weight, seed=rules.seed, progress=Percent(shown.advance),
            )  # fmt: skip
        return Latest(probed, features, items, (time.perf_counter() - began) / repeats)

    def scores(self, name: str) -> tuple[TransferScores, Estimate | None]:
        """What the literature's scores say of a network on the items of its last round; LEEP by itself."""
        last, task, rules = self.latest[name], self.labels.task, self.rules
        items, logits = last.field, self._contestant(name).logits
        with threadpool_limits(1, user_api="blas"):
            found = transfer_scores(
                self._matrices(name, last.features), items.y, task, items.groups, items.plan, known=last.probed,
                class_weight=rules.class_weight, seed=rules.seed,
            )  # fmt: skip
        if logits is None or task.name not in OF_CLASSES:
            return found, None
        own = probabilities(last.features.matrix(logits))
        return found, leep(own, items.y, len(task.classes), groups=items.groups)

    def _matrices(self, name: str, features: Features) -> dict[str, np.ndarray]:
        columns = self._contestant(name).columns
        return {title: features.matrix(column) for title, column in features.named().items() if column in columns}

    def _contestant(self, name: str) -> Contestant:
        return next(one for one in self.all if one.name == name)


def _repeats(items: int) -> int:
    """How often folds are drawn for so many items."""
    return int(np.clip(_STEADY // max(1, items), 1, _MOST_REPEATS))


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Rows as they are where they are probabilities already, as of networks that end in a softmax; else a softmax."""
    sums = scores.sum(axis=1)
    if scores.min() >= 0 and np.abs(sums - 1).max() < 1e-3:
        return np.asarray(scores / sums[:, None])
    return np.asarray(softmax(scores.astype(np.float64), axis=1))
