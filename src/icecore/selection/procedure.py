"""The whole procedure, choice and fit, scored on rows that took no part in either."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.errors import DataError
from icecore.evaluation.crossval import OutOfFold, Progress, cross_validate
from icecore.evaluation.metrics import metrics
from icecore.heads import make
from icecore.selection.candidates import features_of, take
from icecore.selection.choosing import Choice, choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.estimate import Estimate
    from icecore.heads import Head
    from icecore.selection.candidates import Candidate

Weighting = Literal["balanced"] | None
_STEPS = 100  # of progress, for each choice


@dataclass(frozen=True, slots=True)
class Nested:
    """Out-of-fold predictions of the whole procedure, and its choice on all rows.

    Attributes:
        choice: from all rows: what the final model is made with.
        choices: from the training rows of each fold: how steady the choice is.
        out_of_fold: probabilities by models that were chosen and fitted without the row.
    """

    choice: Choice
    choices: tuple[Choice, ...]
    out_of_fold: OutOfFold

    @property
    def fit_rows(self) -> np.ndarray:
        """Rows to fit the final model on: all."""
        return np.arange(len(self.out_of_fold.y))

    def metrics(self, *, seed: int = 0) -> dict[str, Estimate | None]:
        """Figures of the procedure, for rows that took no part in choice and fit."""
        return self.out_of_fold.metrics(seed=seed)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A choice made without the test rows, and the predictions for them.

    Attributes:
        choice: from training and validation rows.
        fit_rows: rows to fit the final model on: training and validation, without items that are tested as well.
        test_rows: rows that are scored.
        proba: (test rows, n_classes).
        y: their class codes.
        groups: their groups.
    """

    choice: Choice
    fit_rows: np.ndarray
    test_rows: np.ndarray
    proba: np.ndarray
    y: np.ndarray
    groups: np.ndarray

    def metrics(self, *, seed: int = 0) -> dict[str, Estimate | None]:
        """Figures on the test rows."""
        return metrics(self.y, self.proba, self.proba.shape[1], groups=self.groups, seed=seed)


def fit_candidate(
    candidate: Candidate,
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    n_classes: int,
    *,
    class_weight: Weighting = None,
    seed: int = 0,
) -> Head:
    """The head of a candidate, fitted on these rows. It predicts from `features_of(features, candidate.layer)`."""
    head = make(candidate.head, penalty=candidate.penalty, class_weight=class_weight, seed=seed)
    return head.fit(features_of(features, candidate.layer), y, n_classes=n_classes)


def nested(
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    n_classes: int,
    groups: np.ndarray | None = None,
    *,
    heads: Sequence[Any] = ("auto",),
    class_weight: Weighting = None,
    seed: int = 0,
    n_splits: int = 5,
    repeats: int = 1,
    progress: Progress | None = None,
) -> Nested:
    """Cross-validate the whole procedure: the choice is made anew within the training rows of every fold.

    What was chosen by validation is so never scored on it (Varma and Simon 2006). Then the choice on all rows is made.

    Args:
        features: layer -> (n, d) array, in the order in which the layers run.
        y: class codes, shape (n,).
        n_classes: number of classes.
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
    y = np.asarray(y)
    choices: list[Choice] = []
    steps = _Steps(progress)
    decide = partial(choose, heads=heads, class_weight=class_weight, seed=seed, progress=steps.inner)

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        part, part_groups = take(features, train), None if groups is None else np.asarray(groups)[train]
        choices.append(decide(part, y[train], n_classes, part_groups))
        fitted = fit_candidate(choices[-1].candidate, part, y[train], n_classes, class_weight=class_weight, seed=seed)
        return fitted.predict_proba(features_of(take(features, test), choices[-1].candidate.layer))

    out = cross_validate(
        fit_predict, y, n_classes, groups=groups, n_splits=n_splits, repeats=repeats, seed=seed, progress=steps.outer
    )
    choice = decide(features, y, n_classes, groups)
    steps.finish()
    return Nested(choice, tuple(choices), out)


def held_out(
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    n_classes: int,
    splits: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    heads: Sequence[Any] = ("auto",),
    class_weight: Weighting = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> HeldOut:
    """Choose and fit on some rows, score on others, as given.

    With `train`, `val` and `test` rows: chosen on `val`, fitted on `train` and `val`, scored on `test`. Without `val`:
    chosen by folds of `train`. Without `test`: chosen by folds of `train`, scored on `val`. Items of the scored rows
    that are also among the others are not trained on.

    Args:
        features: layer -> (n, d) array, in the order in which the layers run.
        y: class codes, shape (n,).
        n_classes: number of classes.
        splits: shape (n,), "train", "val" or "test" a row.
        groups: shape (n,), equal for equal items.
        heads: specs, or `auto`.
        class_weight: as the heads take it.
        seed: of folds and heads.
        progress: called with (done, total, label).

    Raises:
        DataError: where there is nothing to train on, or nothing to score.
    """
    y, splits = np.asarray(y), np.asarray(splits)
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    test = _test_rows(splits)
    known = np.flatnonzero(np.isin(splits, ["train", "val"]) & ~np.isin(groups, groups[test]))
    plan = _validation(splits[known], groups[known])
    _require_rows(known, test)
    part = take(features, known)
    choice = choose(
        part, y[known], n_classes, groups[known],
        heads=heads, class_weight=class_weight, seed=seed, folds=plan, progress=progress,
    )  # fmt: skip
    fitted = fit_candidate(choice.candidate, part, y[known], n_classes, class_weight=class_weight, seed=seed)
    proba = fitted.predict_proba(features_of(take(features, test), choice.candidate.layer))
    return HeldOut(choice, known, test, proba, y[test], groups[test])


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
