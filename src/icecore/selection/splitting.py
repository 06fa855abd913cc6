"""Choice, fit and score on a split that was given, each on its own part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.errors import DataError
from icecore.evaluation.folds import folds
from icecore.selection.candidates import in_memory, take
from icecore.selection.choosing import Choice, choose
from icecore.selection.fitting import learned_rows
from icecore.selection.versus import Versus, answer, gain
from icecore.tasks import as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.crossval import Progress
    from icecore.evaluation.estimate import Estimate
    from icecore.heads import Rows
    from icecore.tasks import AnyHead, Task

_LEAST_PARTS, _MOST_TESTED = 5, 50_000
_MOST_UNSEEN = 20_000  # of rows that are not in memory


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A choice made without the test rows, and the predictions for them.

    Attributes:
        choice: from training and validation rows.
        head: fitted on `fit_rows`, which made the predictions.
        learned: how many rows it was fitted on: all of these, unless they are not in memory and it needs them there.
        fit_rows: rows to fit the final model on: training and validation, without items that are tested as well.
        test_rows: rows that are scored.
        proba: (test rows, n_classes), or what the task says.
        y: their class codes, likewise.
        groups: their groups.
        task: what was learned.
        versus: an ensemble against the single head, where that was asked for; what pays is in the other fields.
    """

    choice: Choice
    head: AnyHead
    learned: int
    fit_rows: np.ndarray
    test_rows: np.ndarray
    proba: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    task: Task
    versus: Versus | None = None

    def metrics(self, *, seed: int = 0) -> dict[str, Estimate | None]:
        """Figures on the test rows."""
        return self.task.metrics(self.y, self.proba, groups=self.groups, seed=seed)


def held_out(
    features: Mapping[str, Rows],
    y: np.ndarray,
    task: Task | int,
    splits: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    heads: Sequence[Any] = ("auto",),
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
    ensemble: bool = False,
    progress: Progress | None = None,
) -> HeldOut:
    """Choose and fit on some rows, score on others, as given.

    With `train`, `val` and `test` rows: chosen on `val`, fitted on `train` and `val`, scored on `test`. Without `val`:
    chosen by folds of `train`. Without `test`: chosen by folds of `train`, scored on `val`. Items of the scored rows
    that are also among the others are not trained on.

    Args:
        features: layer -> rows (n, d), in the order in which the layers run.
        y: class codes, shape (n,), or what the task says.
        task: what is learned; a number stands for so many classes.
        splits: shape (n,), "train", "val" or "test" a row.
        groups: shape (n,), equal for equal items.
        heads: specs, or `auto`.
        class_weight: as the heads take it.
        seed: of folds and heads.
        ensemble: pick an ensemble too, and take it where it is better beyond the interval on the scored rows.
        progress: called with (done, total, label).

    Raises:
        DataError: where there is nothing to train on, or nothing to score.
    """
    y, splits, task = np.asarray(y), np.asarray(splits), as_task(task)
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    test = _test_rows(splits)
    known = np.flatnonzero(np.isin(splits, ["train", "val"]) & ~np.isin(groups, groups[test]))
    plan = _validation(splits[known], groups[known])
    _require_rows(known, test)
    part, tested = take(features, known), take(features, test)
    how: dict[str, Any] = {"class_weight": class_weight, "seed": seed}
    choice = choose(
        part, y[known], task, groups[known], heads=heads, folds=plan, ensemble=ensemble, progress=progress, **how
    )
    best, versus = answer(choice.candidate, part, y[known], task, tested, **how), None
    if ensemble:
        several = best if choice.ensemble is None else answer(choice.ensemble, part, y[known], task, tested, **how)
        balanced = class_weight == "balanced"
        found = gain(y[test], best.said[None], several.said[None], groups[test], balanced=balanced)
        versus = Versus(choice.candidate, choice.ensemble, found, (best.seconds, several.seconds))
        choice, best = versus.settle(choice), several if versus.pays else best
    learned = len(learned_rows(choice.candidate, part, task.strata(y[known]), seed))
    return HeldOut(choice, best.head, learned, known, test, best.said, y[test], groups[test], task, versus)


def unseen_of_known(
    held: HeldOut,
    features: Mapping[str, Rows],
    y: np.ndarray,
    *,
    splits: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Some of the rows that the model was fitted on, (m,), and probabilities (m, k) by one that was not fitted on them.

    Those are the given `val` rows, or else a fifth. Both may be empty, where there are too few rows. Of rows that are
    not in memory some are taken.
    """
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    known = held.fit_rows if in_memory(features) else held.fit_rows[:_MOST_UNSEEN]
    plan = None if splits is None else _validation(splits[known], groups[known])
    try:
        train, test = (plan or folds(held.task.strata(y[known]), groups[known], n_splits=_LEAST_PARTS, seed=seed))[0]
    except DataError:
        return known[:0], np.empty((0, held.task.width))
    sides = take(features, known[train]), take(features, known[test])
    how: dict[str, Any] = {"class_weight": class_weight, "seed": seed}
    return known[test], answer(held.choice.candidate, sides[0], y[known[train]], held.task, sides[1], **how).said


def test_apart(y: np.ndarray, groups: np.ndarray, *, seed: int) -> np.ndarray:
    """A split of many rows, (n,) `train` and `test`: a fifth is tested, or about 50,000, classes in their shares.

    Raises DataError where no class has two different items.
    """
    n_splits = max(_LEAST_PARTS, math.ceil(len(y) / _MOST_TESTED))
    splits = np.full(len(y), "train", dtype="<U5")
    splits[folds(y, groups, n_splits=n_splits, seed=seed)[0][1]] = "test"
    return splits


def _test_rows(splits: np.ndarray) -> np.ndarray:
    return np.flatnonzero(splits == ("test" if (splits == "test").any() else "val"))


def _validation(splits: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """One fold from the given validation rows, equal items left out of its training part; None where there are none."""
    val = np.flatnonzero(splits == "val")
    train = np.flatnonzero((splits == "train") & ~np.isin(groups, groups[val]))
    return [(train, val)] if len(val) and len(train) else None


def _require_rows(known: np.ndarray, test: np.ndarray) -> None:
    if len(known) == 0 or len(test) == 0:
        raise DataError(
            f"The given split leaves {len(known)} rows to train on and {len(test)} to score.",
            expected="Expected rows marked train, and rows marked test or val, that are not the same items.",
            do="Mark some rows of the other kind, or leave the split out: then folds are used.",
        )
