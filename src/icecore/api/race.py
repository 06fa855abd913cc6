"""Networks against each other on the same items: rounds of more and more items, as far as the budget goes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
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
from icecore.selection import Heat, Probed, going_on, probe, spread_order

MOST_ITEMS = 4000  # as for the choice that `fit` makes
_LEAST_ITEMS, _LEAST_A_CLASS = 100, 5  # of the first round
_STEADY, _MOST_REPEATS = 1000, 5  # predictions that figures of small data are averaged over


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
    probing: float = 0.0  # seconds of the last round's probes
    whole: float = 0.0
    done: str = ""

    def __post_init__(self) -> None:
        order = self.usable[spread_order(self.labels.codes[self.usable], self.rules.seed)]
        self.order = order[:MOST_ITEMS]
        self.all = list(self.alive)
        self.names = [one.name for one in self.alive]

    def run(self) -> None:
        """Rounds, until all items were seen, one network is ahead, or the budget is spent."""
        n = len(self.order)
        least = min(n, max(_LEAST_ITEMS, _LEAST_A_CLASS * len(self.labels.classes)))
        size = n if n <= 2 * least or math.isinf(self.rules.budget.amount) else least
        self._round(size)
        self.whole = self.spent + self._cost(self.all, size, n)
        allowed = self.rules.budget.seconds(self.whole)
        if size < n and self.whole <= allowed:
            self._round(n)
        elif size < n:
            size = self._wider(size, allowed)
            while size < n and (following := self._following(size, allowed)):
                size = following
        self.done = self.done or f"All {n:,} items were seen by all networks."

    def _wider(self, size: int, allowed: float) -> int:
        """A round of all networks with more items, where half of what is left of the budget is enough for that."""
        item = self._cost(self.alive, size, size + 1)
        larger = min(len(self.order), size + int((allowed - self.spent) / 2 / max(item, 1e-9)))
        if larger < 1.5 * size:
            return size
        self._round(larger)
        return larger

    def _following(self, size: int, allowed: float) -> int:
        """The next round of a halving: its number of items, or 0 where there is none, with the reason in `done`."""
        n = len(self.order)
        names, larger = going_on(self.heats[-1]), min(n, 2 * size)
        after = [one for one in self.alive if one.name in names]
        how_far = (
            f"All {n:,} items would have taken about {spoken(self.whole)}, more than the budget of {spoken(allowed)}: "
        )
        if len(after) == 1 and len(self.alive) > 1:
            self.done = f"{how_far}successive halving stopped at {size:,}, where one network was ahead of all others."
            return 0
        if self.spent + self._cost(after, size, larger) > allowed:
            self.done = f"{how_far}successive halving stopped at {size:,}, where that was spent."
            return 0
        self.alive = after
        self._round(larger)
        self.done = f"{how_far}it went by successive halving."
        return larger

    def _cost(self, networks: Sequence[Contestant], size: int, larger: int) -> float:
        """Seconds that a round would take, by what was measured."""
        extraction = sum(one.rate for one in networks) * (larger - size)
        return extraction + self.probing * len(networks) / max(1, len(self.alive)) * larger / size

    def _round(self, size: int) -> None:
        """All that are alive, on the first items of the order."""
        began = time.perf_counter()
        at = np.sort(self.order[:size])
        found = self._extracted(at)
        rows = common_rows(list(found.values()))
        found = {name: features.take(np.isin(rows_of(features), rows)) for name, features in found.items()}
        codes = self.labels.codes[np.isin(_rows(self.all[0]), rows)]
        groups = groups_of(list(found.values()))
        repeats = int(np.clip(_STEADY // len(codes), 1, _MOST_REPEATS))
        plan = folds(codes, groups, n_splits=self.rules.n_folds, repeats=repeats, seed=self.rules.seed)
        middle = time.perf_counter()
        for name, features in found.items():
            self.latest[name] = self._probed(name, features, codes, groups, plan)
        tested = ~untested(codes, groups)
        self.heats.append(Heat({name: self.latest[name].probed.right for name in found}, groups[tested]))
        self.probing = time.perf_counter() - middle
        self.spent += time.perf_counter() - began
        self.rounds.append(HeatReport(len(rows), tuple(found), time.perf_counter() - began))

    def _extracted(self, at: np.ndarray) -> dict[str, Features]:
        """Features by name; a network that fails is left out from here on."""
        found = dict[str, Features]()
        errors = list[IcecoreError]()
        for one in list(self.alive):
            try:
                features = one.run(at, self.how)
                if not len(features):
                    raise DataError(f"Not one of {len(at):,} items can be used: {next(iter(one.bad.values())).reason}.")
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
            Heat({name: right for name, right in heat.right.items() if name != one.name}, heat.groups)
            for heat in self.heats
        ]

    def _probed(
        self, name: str, features: Features, codes: np.ndarray, groups: np.ndarray, plan: Sequence[Fold]
    ) -> Latest:
        contestant = next(one for one in self.all if one.name == name)
        named = {title: column for title, column in features.named().items() if column in contestant.columns}
        matrices = {title: features.matrix(column) for title, column in named.items()}
        k = len(self.labels.classes)
        with self.how.progress.task(f"probing {name}", 100) as task, threadpool_limits(1, user_api="blas"):
            probed = probe(
                matrices,
                codes,
                k,
                groups,
                plan,
                heads=self.rules.heads,
                seed=self.rules.seed,
                progress=Percent(task.advance),
            )
        own = None
        if contestant.logits is not None:
            own = leep(_probabilities(features.matrix(contestant.logits)), codes, k, groups=groups)
        return Latest(probed, own, len(codes))


def _rows(one: Contestant) -> np.ndarray:
    return np.array([item.row for item in one.dataset.inputs], dtype=np.int64)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    """Rows as they are where they are probabilities already, as of networks that end in a softmax; else a softmax."""
    sums = scores.sum(axis=1)
    if scores.min() >= 0 and np.abs(sums - 1).max() < 1e-3:
        return np.asarray(scores / sums[:, None])
    return np.asarray(softmax(scores.astype(np.float64), axis=1))
