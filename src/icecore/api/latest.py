"""What a round says of one network: its probes, how long they will take on more items, the scores beside them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from icecore.api.budgets import Budget
from icecore.api.contestants import Contestant
from icecore.api.fitting import Percent
from icecore.evaluation import Estimate, Fold, leep
from icecore.features import Features, Progress
from icecore.selection import Probed, TransferScores, probe, transfer_scores
from icecore.tasks import Task
from icecore.tasks.base import ClassWeight

OF_CLASSES = ("classification", "ordinal")
_POWER, _MOST_POWER = 1.0, 3.0  # of the number of items, by which the time of probes grows: of few items, and at most
_BENDS = 0.5  # how much higher that is from this round to the next than it was from the last one to this
_BESIDE = 0.5  # of the time of probes, for the scores that are shown beside them


@dataclass(frozen=True, slots=True)
class Rules:
    """How probes are made, and how long all may take."""

    heads: tuple[Any, ...]
    class_weight: ClassWeight
    n_folds: int
    seed: int
    budget: Budget


@dataclass(frozen=True, slots=True)
class RoundItems:
    """The items of a round: what is to be predicted of them, which are equal, and folds, drawn so many times."""

    y: np.ndarray
    groups: np.ndarray
    plan: Sequence[Fold]
    repeats: int

    @property
    def folds(self) -> int:
        """How many there are; fewer than were asked for where classes are small."""
        return len(self.plan) // self.repeats


@dataclass(frozen=True, slots=True)
class Latest:
    """A network after its last round.

    Attributes:
        contestant: the network.
        features: of the round's items.
        on: the items.
        task: what is predicted of them.
        rules: of the probes.
        probed: by them.
        seconds: that they took for one drawing of folds.
        power: of the number of items, by which they will take longer in the next round.
    """

    contestant: Contestant
    features: Features
    on: RoundItems
    task: Task
    rules: Rules
    probed: Probed
    seconds: float
    power: float = _POWER

    @staticmethod
    def of(  # noqa: PLR0917  # who, on what, for what, how
        one: Contestant, features: Features, on: RoundItems, task: Task, rules: Rules, progress: Progress
    ) -> Latest:
        """Probe a network."""
        began = time.perf_counter()
        with progress.task(f"probing {one.name}", 100) as shown, threadpool_limits(1, user_api="blas"):
            probed = probe(
                _matrices(one, features), on.y, task, on.groups, on.plan,
                heads=rules.heads, class_weight=rules.class_weight, seed=rules.seed, progress=Percent(shown.advance),
            )  # fmt: skip
        return Latest(one, features, on, task, rules, probed, (time.perf_counter() - began) / on.repeats)

    @property
    def items(self) -> int:
        """How many."""
        return len(self.on.y)

    def lasting(self, items: int) -> float:
        """Seconds that probes of so many items would take, and the scores beside them, for one drawing of folds."""
        return float(self.seconds * (items / self.items) ** self.power * (1 + _BESIDE))

    def after(self, other: Latest | None) -> Latest:
        """The same after an earlier round: what grows fastest, decompositions, has a larger share in each round."""
        if other is None or other.items >= self.items:
            return self
        grown = math.log(self.seconds / other.seconds) / math.log(self.items / other.items)
        return replace(self, power=float(np.clip(grown + _BENDS, _POWER, _MOST_POWER)))

    def scores(self) -> tuple[TransferScores, Estimate | None]:
        """What the literature's scores say; LEEP by itself."""
        on, logits = self.on, self.contestant.logits
        with threadpool_limits(1, user_api="blas"):
            found = transfer_scores(
                _matrices(self.contestant, self.features), on.y, self.task, on.groups, on.plan,
                known=self.probed, class_weight=self.rules.class_weight, seed=self.rules.seed,
            )  # fmt: skip
        if logits is None or self.task.name not in OF_CLASSES:
            return found, None
        own = probabilities(self.features.matrix(logits))
        return found, leep(own, on.y, len(self.task.classes), groups=on.groups)


def _matrices(one: Contestant, features: Features) -> dict[str, np.ndarray]:
    named = features.named().items()
    return {title: features.matrix(column) for title, column in named if column in one.columns}


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Rows as they are where they are probabilities already, as of networks that end in a softmax; else a softmax."""
    sums = scores.sum(axis=1)
    if scores.min() >= 0 and np.abs(sums - 1).max() < 1e-3:
        return np.asarray(scores / sums[:, None])
    return np.asarray(softmax(scores.astype(np.float64), axis=1))
