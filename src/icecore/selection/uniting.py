"""Finished models as one: the weighted mean of what they say, against the best of them alone.

Numbers are averaged as they are, probabilities by their logs: in such a pool (Genest and Zidek 1986) a model that is
sure overrules others that are not. Each model brings what it said of items that it had not seen. On these the shares
are picked greedily (`ensembling`), by the loss of the task. Whether that pays is told by rows that took no part: in
every fold both the shares and the best single model are chosen on the other folds, as stacked generalisation does
(Wolpert 1992).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation.folds import folds
from icecore.evaluation.paired import paired_difference, paired_gain
from icecore.heads.multilabel import tuned_thresholds
from icecore.selection.ensembling import greedy
from icecore.tasks import Classification, Multilabel

if TYPE_CHECKING:
    from icecore.evaluation.estimate import Estimate
    from icecore.tasks import Task


@dataclass(frozen=True, eq=False)
class Mix:
    """A mean of models.

    Attributes:
        shares: of each model that is in it, by its number; the largest first, they sum to one.
        thresholds: (k,) from which on a label is predicted, of several labels a row; else None.
    """

    shares: Mapping[int, float]
    thresholds: np.ndarray | None = None

    def says(self, values: np.ndarray, task: Task) -> np.ndarray:
        """(n, width), as a task has it, of what all models say in the unit of its averages, (models, n, k)."""
        total = sum((share * values[one] for one, share in self.shares.items()), np.zeros(values.shape[1:]))
        mean = task.from_average(total)
        if self.thresholds is None:
            return mean
        return np.hstack([mean, np.broadcast_to(self.thresholds, mean.shape)])


@dataclass(frozen=True, eq=False)
class United:
    """Models together, each alone, and the best of them, on rows that chose neither shares nor best.

    Attributes:
        mix: of all rows: what the ensemble is made of.
        best: the best single model, of all rows.
        together: (n, width) of the shares that the other folds chose; NaN in rows that no fold tests.
        alone: (n, width) of the single model that the other folds chose.
        each: (models, n, width).
        scored: (n,) rows that a fold tests.
        gain: in the score of the task, together minus alone, with its interval.
    """

    mix: Mix
    best: Mix
    together: np.ndarray
    alone: np.ndarray
    each: np.ndarray
    scored: np.ndarray
    gain: Estimate

    @property
    def pays(self) -> bool:
        """Whether several models are better than one, beyond the interval."""
        return len(self.mix.shares) > 1 and self.gain.low > 0


def unite(
    said: np.ndarray, y: np.ndarray, task: Task, groups: np.ndarray, *, n_splits: int = 5, seed: int = 0
) -> United:
    """Pick the shares of models, and compare their mean with the best model alone.

    Args:
        said: what each model says of rows that it has not seen, (models, n, k): probabilities, or numbers (.., 1).
        y: what is true of them, as the task has it, (n, ...).
        task: what was learned.
        groups: (n,), equal for equal items: they stay in one fold and count as one.
        n_splits: folds.
        seed: of them.

    Raises DataError where the rows cannot be folded.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=300)
        >>> said = (y + rng.normal(size=(2, 300)))[:, :, None]
        >>> from icecore.tasks import Regression
        >>> found = unite(said, y, Regression(), np.arange(300))
        >>> found.pays, sorted(found.mix.shares)
        (True, [0, 1])
    """
    values, shape = task.to_average(np.asarray(said, np.float64)), (len(y), task.width)
    together, alone = np.full(shape, np.nan), np.full(shape, np.nan)
    each = np.full((len(said), *shape), np.nan)
    for train, test in folds(task.strata(y), groups, n_splits=n_splits, seed=seed):
        part = values[:, train], y[train], task, groups[train]
        together[test] = _picked(*part).says(values[:, test], task)
        for number in range(len(said)):
            each[number, test] = _one(number, *part[:3]).says(values[:, test], task)
        alone[test] = each[_best(*part), test]
    scored = ~np.isnan(together[:, 0])
    gain = _gain(y[scored], together[scored], alone[scored], task, groups[scored])
    best = _one(_best(values, y, task, groups), values, y, task)
    return United(_picked(values, y, task, groups), best, together, alone, each, scored, gain)


def _gain(y: np.ndarray, together: np.ndarray, alone: np.ndarray, task: Task, groups: np.ndarray) -> Estimate:
    difference = paired_difference if isinstance(task, Classification) else paired_gain
    return difference(task.achieved(y, together), task.achieved(y, alone), groups)


def _picked(values: np.ndarray, y: np.ndarray, task: Task, groups: np.ndarray) -> Mix:
    shares = greedy(values, lambda mean: task.loss(y, task.from_average(mean)), _weights(groups))
    return _mixed(shares, values, y, task)


def _best(values: np.ndarray, y: np.ndarray, task: Task, groups: np.ndarray) -> int:
    return int((task.loss(y, task.from_average(values)) @ _weights(groups)).argmin())


def _one(number: int, values: np.ndarray, y: np.ndarray, task: Task) -> Mix:
    return _mixed({number: 1.0}, values, y, task)


def _mixed(shares: Mapping[int, float], values: np.ndarray, y: np.ndarray, task: Task) -> Mix:
    if not isinstance(task, Multilabel):
        return Mix(shares)
    return Mix(shares, tuned_thresholds(Mix(shares).says(values, task), y.astype(bool)))


def _weights(groups: np.ndarray) -> np.ndarray:
    """Of rows (n,): those of a group count as one item."""
    codes = np.unique(groups, return_inverse=True)[1]
    return np.asarray(1 / np.bincount(codes)[codes])
