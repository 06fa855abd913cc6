"""The whole procedure, choice and fit, in every fold: out-of-fold predictions that took no part in either."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.evaluation.crossval import OutOfFold, Progress, cross_validate
from icecore.selection.candidates import features_of, take
from icecore.selection.choosing import Choice, choose
from icecore.selection.fitting import fit_candidate
from icecore.tasks import as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.estimate import Estimate
    from icecore.tasks import Task

_STEPS = 100  # of progress, for each choice


@dataclass(frozen=True, slots=True)
class Nested:
    """Out-of-fold predictions of the whole procedure, and its choice on all rows.

    Attributes:
        choice: from all rows: what the final model is made with.
        choices: from the training rows of each fold: how steady the choice is.
        out_of_fold: probabilities by models that were chosen and fitted without the row, or what its task says.
        task: what was learned.
    """

    choice: Choice
    choices: tuple[Choice, ...]
    out_of_fold: OutOfFold
    task: Task

    @property
    def fit_rows(self) -> np.ndarray:
        """Rows to fit the final model on: all."""
        return np.arange(len(self.out_of_fold.y))

    def metrics(self, *, seed: int = 0) -> dict[str, Estimate | None]:
        """Figures of the procedure, for rows that took no part in choice and fit."""
        y, said, how = self.out_of_fold.stacked()
        return self.task.metrics(y, said, **how, seed=seed)


def nested(
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    task: Task | int,
    groups: np.ndarray | None = None,
    *,
    heads: Sequence[Any] = ("auto",),
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
    n_splits: int = 5,
    repeats: int = 1,
    progress: Progress | None = None,
) -> Nested:
    """Cross-validate the whole procedure: the choice is made anew within the training rows of every fold.

    What was chosen by validation is so never scored on it (Varma and Simon 2006). Then the choice on all rows is made.

    Args:
        features: layer -> (n, d) array, in the order in which the layers run.
        y: class codes, shape (n,), or what the task says.
        task: what is learned; a number stands for so many classes.
        groups: shape (n,), equal for equal items: they stay on one side of every split, inner ones included.
        heads: specs, or `auto`.
        class_weight: as the heads take it.
        seed: of folds and heads.
        n_splits: outer folds.
        repeats: independent divisions into outer folds.
        progress: called with (done, total, label).

    Raises:
        DataError: where no class has two different items.
    """
    y, task = np.asarray(y), as_task(task)
    choices: list[Choice] = []
    steps = _Steps(progress)
    decide = partial(choose, heads=heads, class_weight=class_weight, seed=seed, progress=steps.inner)

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        part, part_groups = take(features, train), None if groups is None else np.asarray(groups)[train]
        choices.append(decide(part, y[train], task, part_groups))
        fitted = fit_candidate(choices[-1].candidate, part, y[train], task, class_weight=class_weight, seed=seed)
        return task.says(fitted, features_of(take(features, test), choices[-1].candidate.layer))

    out = cross_validate(
        fit_predict, y, task.width, groups=groups, n_splits=n_splits, repeats=repeats, seed=seed,
        progress=steps.outer, strata=task.strata(y),
    )  # fmt: skip
    choice = decide(features, y, task, groups)
    steps.finish()
    return Nested(choice, tuple(choices), out, task)


class _Steps:
    """Progress of several choices in a row, on one scale."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done, self._folds, self._label = 0, 1, ""

    def outer(self, done: int, total: int, label: str) -> None:
        self._done, self._folds = done, total
        self._label = label if done < total else "all rows"

    def inner(self, done: int, total: int, label: str) -> None:
        self._tell(self._done * _STEPS + _STEPS * done // total, f"{self._label}: {label}")

    def finish(self) -> None:
        self._tell((self._folds + 1) * _STEPS, "done")

    def _tell(self, done: int, label: str) -> None:
        if self._progress:
            self._progress(done, (self._folds + 1) * _STEPS, label)
