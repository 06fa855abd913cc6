"""What rows gain by heads that did not learn from them, and the best head for each fold by the rows of all others.

So no row's answer takes part in the choice that it scores, and nothing is fitted twice. (Choosing on the same pooled
answers would flatter whoever has most candidates; Tsamardinos et al. 2018.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation import paired_gain, share_right
from icecore.heads import ridge_loo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icecore.evaluation import Estimate, Fold
    from icecore.tasks import Task
    from icecore.tasks.base import ClassWeight, Tries

_IN_ONE = "ridge"  # every fold of it, and every penalty, comes from one decomposition


def are_shares(task: Task, class_weight: ClassWeight) -> bool:
    """Whether the score is a share of right answers."""
    return task.name == "classification" and class_weight is None


@dataclass(frozen=True, eq=False)
class Crossing:
    """Rows in folds, and what is to be predicted of them.

    Attributes:
        y: what heads learn from, (n, ...): class codes, for instance.
        task: what is learned.
        groups: (n,), equal for equal items; folds must keep them whole.
        folds: from `icecore.evaluation.folds`, repeats one after another.
        class_weight: as the heads take it; with `balanced`, balanced accuracy is the score.
        seed: of the heads.
    """

    y: np.ndarray
    task: Task
    groups: np.ndarray
    folds: Sequence[Fold]
    class_weight: ClassWeight = None
    seed: int = 0

    @cached_property
    def repeats(self) -> list[list[Fold]]:
        """The folds of each repeat: a repeat ends where a row would be tested again."""
        found: list[list[Fold]] = [[]]
        tested = np.zeros(len(self.y), bool)
        for fold in self.folds:
            if tested[fold[1]].any():
                found.append([])
                tested[:] = False
            tested[fold[1]] = True
            found[-1].append(fold)
        return found

    @cached_property
    def parts(self) -> np.ndarray:
        """(repeats, n): which fold tests a row; numbers of their own for rows that none does."""
        parts = np.tile(np.arange(len(self.y)) + len(self.folds), (len(self.repeats), 1))
        for part, folds in zip(parts, self.repeats, strict=True):
            for number, (_, test) in enumerate(folds):
                part[test] = number
        return parts

    @cached_property
    def tested(self) -> np.ndarray:
        """(n,) whether a fold tests the row; the same in every repeat."""
        return np.asarray(self.parts[0] < len(self.folds))

    def gains(self, X: np.ndarray, tries: Tries) -> list[np.ndarray]:
        """What each tested row adds to the score by each head, on features X (n, d): (repeats, penalties, tested)."""
        y, rows, weight = self.y[self.tested], self.tested, self.class_weight
        found = [self._values(X, tries, repeat) for repeat in range(len(self.repeats))]
        return [np.stack([self.task.gains(y, one[:, rows], weight) for one in own]) for own in zip(*found, strict=True)]

    def crossed(self, gains: np.ndarray) -> np.ndarray:
        """(tested,) by the candidate that did best on the rows of the other folds; see `crossed`."""
        return crossed(gains, self.parts[:, self.tested])

    def score(self, gains: np.ndarray) -> Estimate:
        """The mean of gains (tested,), with its interval."""
        groups = self.groups[self.tested]
        if are_shares(self.task, self.class_weight):
            return share_right(gains, groups)
        return paired_gain(gains, np.zeros(len(gains)), groups)

    def _values(self, X: np.ndarray, tries: Tries, repeat: int) -> list[np.ndarray]:
        """Decision values (penalties, n, ...) of each head."""
        found = dict[int, np.ndarray]()
        for place, (head, grid) in enumerate(tries):
            if head == _IN_ONE and self.task.name == "classification":
                found[place] = self._ridge(X, grid, repeat)
        rest = [place for place in range(len(tries)) if place not in found]
        swept = self.task.sweep(
            [tries[place] for place in rest], X, self.y, self.repeats[repeat],
            class_weight=self.class_weight, seed=self.seed,
        ) if rest else []  # fmt: skip
        found |= dict(zip(rest, swept, strict=True))
        return [found[place] for place in range(len(tries))]

    def _ridge(self, X: np.ndarray, grid: Sequence[float | None], repeat: int) -> np.ndarray:
        """Without each fold in turn, on the scale of all rows, which looks at no class."""
        penalties = [penalty for penalty in grid if penalty is not None]
        k, weight = len(self.task.classes), self.class_weight
        return ridge_loo(X, self.y, k, penalties, class_weight=weight, groups=self.parts[repeat])


def crossed(gains: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """What each row adds to the score by the candidate that does best on the rows of all folds but its own.

    Args:
        gains: (repeats, candidates, n), whether each was right; of equally good candidates the first counts.
        parts: (repeats, n), which fold tests a row.

    Returns:
        (n,): the mean over repeats.

    Example:
        >>> crossed(np.array([[[1, 1, 0, 0], [0, 0, 1, 1]]]), np.array([[0, 0, 1, 1]])).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    chosen = np.zeros(parts.shape)
    mean = gains.mean(axis=0)
    for repeat, part in enumerate(parts):
        for fold in np.unique(part):
            own = part == fold
            others = mean[:, ~own] if not own.all() else mean
            chosen[repeat, own] = gains[repeat, int(others.mean(axis=1).argmax()), own]
    return np.asarray(chosen.mean(axis=0))
