"""The whole procedure, choice and fit, in every fold: out-of-fold predictions that took no part in either."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.evaluation.crossval import OutOfFold, Progress, cross_validate
from icecore.selection.candidates import Candidate, take
from icecore.selection.choosing import Choice, choose
from icecore.selection.versus import Answer, Versus, answer, gain
from icecore.tasks import as_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        versus: an ensemble against the single head, where that was asked for; what pays is in the other fields.
    """

    choice: Choice
    choices: tuple[Choice, ...]
    out_of_fold: OutOfFold
    task: Task
    versus: Versus | None = None

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
    ensemble: bool = False,
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
        ensemble: pick an ensemble in each fold too, and take it where it is better beyond the interval; of classes,
            one a row.
        progress: called with (done, total, label).

    Raises:
        DataError: where no class has two different items.
    """
    y, task = np.asarray(y), as_task(task)
    steps = _Steps(progress)
    how: dict[str, Any] = {"class_weight": class_weight, "seed": seed}
    decide: Callable[..., Choice] = partial(choose, heads=heads, ensemble=ensemble, progress=steps.inner, **how)
    inner = _Inner(features, y, task, groups, decide, how)
    width = 2 * task.width if ensemble else task.width  # of the single head, and beside it of the ensemble
    out = cross_validate(
        inner.both if ensemble else inner.single, y, width, groups=groups, n_splits=n_splits, repeats=repeats,
        seed=seed, progress=steps.outer, strata=task.strata(y),
    )  # fmt: skip
    choice = decide(features, y, task, groups)
    steps.finish()
    if ensemble:
        return inner.settled(choice, out, balanced=class_weight == "balanced")
    return Nested(choice, tuple(inner.choices), out, task)


@dataclass
class _Inner:
    """Choice and fit within the training rows of each fold."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    task: Task
    groups: np.ndarray | None
    decide: Callable[..., Choice]
    how: dict[str, Any]
    choices: list[Choice] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)

    def single(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """(m, width) of the head that is chosen."""
        return self._answer(self._choice(train).candidate, train, test).said

    def both(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """(m, 2 width): the ensemble's beside it."""
        choice = self._choice(train)
        single = self._answer(choice.candidate, train, test)
        several = single if choice.ensemble is None else self._answer(choice.ensemble, train, test)
        self.seconds.append((single.seconds, several.seconds))
        return np.hstack([single.said, several.said])

    def settled(self, choice: Choice, out: OutOfFold, *, balanced: bool) -> Nested:
        """The one that pays."""
        single, several = np.split(out.proba, 2, axis=2)
        rows = np.flatnonzero(out.tested)
        found = gain(self.y[rows], single[:, rows], several[:, rows], out.groups[rows], balanced=balanced)
        spent = np.mean(self.seconds, axis=0)
        versus = Versus(choice.candidate, choice.ensemble, found, (float(spent[0]), float(spent[1])))
        kept = OutOfFold(out.y, several if versus.pays else single, out.groups)
        return Nested(versus.settle(choice), tuple(self.choices), kept, self.task, versus)

    def _choice(self, train: np.ndarray) -> Choice:
        groups = None if self.groups is None else np.asarray(self.groups)[train]
        self.choices.append(self.decide(take(self.features, train), self.y[train], self.task, groups))
        return self.choices[-1]

    def _answer(self, candidate: Candidate, train: np.ndarray, test: np.ndarray) -> Answer:
        part, tested = take(self.features, train), take(self.features, test)
        return answer(candidate, part, self.y[train], self.task, tested, **self.how)


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
