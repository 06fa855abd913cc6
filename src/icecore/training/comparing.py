"""The frozen model and the tuned one on the same rows, which neither has seen; and which of them to keep."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icecore.errors import DataError
from icecore.evaluation import Estimate, Fold, folds, half_width, paired_difference, paired_gain, untested
from icecore.tasks import AnyHead, Classification
from icecore.training.loop import Task
from icecore.training.tuning import Tuned, Tuner

Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows to train on, to stop by, and to compare on
Metrics = dict[str, Estimate | None]
_HELD = 5  # one in so many training rows stops the training
_LEAST_HELD = 10  # fewer say nothing about when to stop


@dataclass(frozen=True)
class FrozenTarget:
    """The frozen model's head for a target, and the features that it reads, (n, d)."""

    head: AnyHead
    X: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Both models on rows that neither has seen.

    Attributes:
        metrics: of the tuned model, for each target.
        frozen: of the frozen one, its head refitted on the training rows.
        difference: tuned minus frozen score (of classes the share of right answers), the mean over targets, with its
            interval.
        score: what that score is, in words.
        intervals: for each target that is a number half the width of the interval that holds 95 % of new ones.
        rows: how many rows were compared.
        folds: in how many folds.
        tuned: what the last fold's training gave.
        tested: the rows that were compared (m,).
        proba: what the tuned model says of them, for each target, (m, k).
    """

    metrics: list[Metrics]
    frozen: list[Metrics]
    difference: Estimate
    rows: int
    folds: int
    tuned: Tuned
    tested: np.ndarray
    proba: Sequence[np.ndarray]
    score: str = "accuracy"
    intervals: Sequence[float | None] = ()

    @property
    def how(self) -> str:
        """On which rows, in words."""
        where = f"{self.folds} folds" if self.folds > 1 else "rows held out"
        return f"compared on {self.rows:,} items that neither model has seen ({where})"

    @property
    def better(self) -> bool:
        """Whether the tuned model is better beyond doubt."""
        return self.difference.low > 0


def plan(task: Task, splits: np.ndarray | None, n_folds: int, seed: int) -> list[Part]:
    """(training, early stopping, comparison) rows of each fold.

    With given splits they are `train`, `val` and `test`; where one of the latter is missing, the other compares, and
    some of `train` stop the training. Otherwise every row is compared once in `n_folds` folds; one fold compares a
    quarter of the rows.
    """
    if splits is not None and set(splits.tolist()) - {"train"}:
        return [_given(task, splits, seed)]
    made: Sequence[Fold] = folds(task.strata, task.groups, n_splits=n_folds if n_folds > 1 else 4, seed=seed)
    chosen = made if n_folds > 1 else made[:1]
    return [(*held_out(task, train, seed), test) for train, test in chosen]


def _given(task: Task, splits: np.ndarray, seed: int) -> Part:
    """Equal items are on one side: what is compared, and what stops the training, is not trained on as a copy."""
    test = np.flatnonzero(splits == ("test" if (splits == "test").any() else "val"))
    others = ~np.isin(task.groups, task.groups[test])
    val = np.flatnonzero((splits == "val") & others)
    train = np.flatnonzero((splits == "train") & others & ~np.isin(task.groups, task.groups[val]))
    if not len(train):
        raise DataError(
            f"The given split leaves no rows to train on and {len(test)} to compare on.",
            expected="Rows marked train, and rows marked test or val, that are not the same items.",
            do="Mark some rows train, or leave the split out: then folds are used.",
        )
    return (train, val, test) if len(val) else (*held_out(task, train, seed), test)


def held_out(task: Task, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and a fifth to stop by; none where they would be too few to tell anything."""
    codes, groups = task.strata[rows], task.groups[rows]
    if len(rows) < _HELD * _LEAST_HELD or untested(codes, groups).any():
        return rows, rows[:0]
    train, held = folds(codes, groups, n_splits=_HELD, seed=seed)[0]
    return rows[train], rows[held]


def compare(
    tuner: Tuner,
    frozen: Sequence[FrozenTarget],
    parts: Sequence[Part],
) -> Comparison:
    """Tune in every fold, refit the frozen heads on the same rows, and compare them on the rest.

    Args:
        tuner: trains.
        frozen: the model that it has to beat.
        parts: see `plan`.

    Raises DataError where there is nothing to compare on.
    """
    task = tuner.task
    tested = np.concatenate([test for _, _, test in parts]) if parts else np.empty(0, int)
    if not len(tested):
        raise DataError("No rows are left to compare the tuned model on.", do="Give more labelled items.")
    ours: list[list[np.ndarray]] = []
    theirs: list[list[np.ndarray]] = []
    tuned: Tuned | None = None
    for number, (train, held, test) in enumerate(parts):
        tuned = tuner.tune(
            train, held, f"fine-tuning fold {number + 1} of {len(parts)}" if len(parts) > 1 else "fine-tuning"
        )
        ours.append(tuner.probabilities(tuned, test))
        seen = np.sort(np.concatenate([train, held]))
        theirs.append([_refitted(f, seen, test, task, t) for t, f in enumerate(frozen)])
    assert tuned is not None  # noqa: S101 - there are parts
    joined = [[np.concatenate(own) for own in zip(*side, strict=True)] for side in (ours, theirs)]
    return _compared(joined[0], joined[1], task, tested, len(parts), tuned)


def _compared(  # noqa: PLR0917  # what was found, then of what
    ours: Sequence[np.ndarray],
    theirs: Sequence[np.ndarray],
    task: Task,
    rows: np.ndarray,
    n_folds: int,
    tuned: Tuned,
) -> Comparison:
    """What both models say of the same rows, side by side."""
    asked, groups = task.objectives, task.groups[rows]
    figures = [
        [own.task.metrics(own.y[rows], said, groups=groups) for own, said in zip(asked, side, strict=True)]
        for side in (ours, theirs)
    ]
    weights = [own.weight for own in asked]
    gains = [
        np.average([o.task.achieved(o.y[rows], s) for o, s in zip(asked, side, strict=True)], axis=0, weights=weights)
        for side in (ours, theirs)
    ]
    right = all(isinstance(own.task, Classification) for own in asked)
    difference = (paired_difference if right else paired_gain)(gains[0], gains[1], groups)
    names = list(dict.fromkeys(own.task.score_name for own in asked))
    widths = [
        None if own.task.classes else half_width(own.y[rows], said[:, 0], groups)
        for own, said in zip(asked, ours, strict=True)
    ]
    score = names[0] if len(names) == 1 else "mean score"
    return Comparison(figures[0], figures[1], difference, len(rows), n_folds, tuned, rows, ours, score, widths)


def _refitted(frozen: FrozenTarget, train: np.ndarray, test: np.ndarray, task: Task, target: int) -> np.ndarray:
    own = task.objectives[target]
    head = own.task.fit(copy.deepcopy(frozen.head), frozen.X[train], own.y[train])
    return own.task.says(head, frozen.X[test])
