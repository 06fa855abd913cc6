"""Fit one target: choose, fit and score on stored features, with the baselines that put the figure into proportion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from icecore.api.honesty import Data, curve, doubts, second_opinions, typical, with_calibrated
from icecore.api.labels import Labels
from icecore.api.reports import EnsembleReport, Metrics, TargetReport
from icecore.api.separating import Separated, separate
from icecore.artifact import TargetEvidence
from icecore.backbones import INPUT
from icecore.evaluation import Typicality, half_width
from icecore.features import Features, Progress
from icecore.heads import Rows as HeadRows
from icecore.heads.ensemble import Ensemble
from icecore.selection import (
    IN_PIECES,
    Candidate,
    Choice,
    HeldOut,
    Nested,
    fit_candidate,
    head_name,
    held_out,
    in_memory,
    layer_name,
    names_of,
    nested,
    test_apart,
)
from icecore.tasks import AnyHead, Task

RAW = "raw_input"
_NO_CURVE = "There is no learning curve of {!r}: it takes classes, features in memory and more items of each class."
_STEADY = 1000  # predictions that figures of small data should be averaged over
_STEADY_AUTO = 200  # likewise where every fold makes a choice anew, which takes its time


@dataclass(frozen=True, slots=True)
class Settings:
    """How every target of a fit is treated."""

    head: Any
    class_weight: Literal["balanced"] | None
    folds: int
    repeats: int | None
    seed: int
    ensemble: bool = False
    calibrate: str = "none"
    learning_curve: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """The items that targets are fitted on.

    Attributes:
        features: layer -> (n, d), all in memory or none.
        raw: the inputs themselves as numbers, (n, d), for the baseline; None where there is no such thing.
        groups: (n,), equal for items that are, or nearly are, the same, or that belong together.
        splits: (n,) `train`, `val`, `test`, `left out`; None to use folds.
    """

    features: Mapping[str, HeadRows]
    raw: HeadRows | None
    groups: np.ndarray
    splits: np.ndarray | None


def rows_of(features: Features, labels: Sequence[Labels], *, in_store: bool) -> tuple[Rows, Separated]:
    """The items of features, which stay in the store where they are too large, and what belongs together of them."""
    read = features.stored if in_store else features.matrix
    matrices = {name: read(column) for name, column in features.named().items() if column.layer != INPUT}
    raw = read(INPUT) if INPUT in features.layers else None
    splits = features.dataset.splits
    leaves_some = splits is not None and set(splits.tolist()) - {"train"}
    apart = separate(features, matrices, _classes(labels[0]), splits if leaves_some else None)
    return Rows(matrices, raw, apart.groups, apart.splits), apart


def _classes(labels: Labels) -> np.ndarray | None:
    """Class codes (n,), of a target with one class a row."""
    return labels.y if labels.task.name in {"classification", "ordinal"} else None


@dataclass(frozen=True, slots=True)
class FittedTarget:
    """A fitted head, the layers that it reads, how it did, and what has to be said of it aloud."""

    labels: Labels
    candidate: Candidate
    head: AnyHead
    report: TargetReport
    evidence: TargetEvidence
    typical: Typicality | None = None
    notes: tuple[str, ...] = ()


def fit_target(labels: Labels, rows: Rows, settings: Settings, progress: Progress) -> FittedTarget:
    """Choose layer, head and penalty, fit, and score on rows that took no part in either.

    The many small decompositions of this run on one thread each: more gain little, and waste a busy machine by waiting.
    Rows that are not in memory come in pieces, which are worth all threads.
    """
    with threadpool_limits(1 if in_memory(rows.features) else None, user_api="blas"):
        return _fit_target(labels, rows, settings, progress)


def _fit_target(labels: Labels, rows: Rows, settings: Settings, progress: Progress) -> FittedTarget:
    result = _evaluated(labels, rows, settings, progress, f"choosing a model for {labels.name}")
    candidate = result.choice.candidate
    if isinstance(result, HeldOut):
        head = result.head
    else:
        head = fit_candidate(
            candidate, rows.features, labels.y, labels.task,
            class_weight=settings.class_weight, seed=settings.seed,
        )  # fmt: skip
    data = Data(rows.features, labels.y, labels.task, rows.groups, rows.splits, settings.class_weight, settings.seed)
    result, head, calibration = with_calibrated(result, head, data, settings.calibrate)
    report = _report(labels, result, rows, settings, progress, calibration=calibration)
    if settings.learning_curve:
        with progress.task(f"learning curve of {labels.name}", 100) as task:
            report = replace(report, learning_curve=curve(candidate, data, Percent(task.advance)))
    said = doubts(head, candidate, data, result.fit_rows, metrics=report.metrics, baselines=report.baselines)
    missing = [_NO_CURVE.format(labels.name)] if settings.learning_curve and report.learning_curve is None else []
    notes = (*labels.notes, *_notes(result), *missing, *said)
    what_is = typical(candidate, data, result.fit_rows)
    evidence = replace(_target_evidence(labels, result), opinions=second_opinions(candidate, data))
    return FittedTarget(labels, candidate, head, report, evidence, what_is, notes)


def _report(
    labels: Labels,
    result: Nested | HeldOut,
    rows: Rows,
    settings: Settings,
    progress: Progress,
    *,
    calibration: str,
) -> TargetReport:
    candidate = result.choice.candidate
    return TargetReport(
        name=labels.name,
        task=labels.task.name,
        described=labels.task.described,
        classes=labels.classes,
        layer=_joined(candidate),
        layer_title=layer_name(candidate.layer),
        head=_described(candidate, labels.task),
        chosen_because=result.choice.reason,
        score=labels.task.score_name,
        by_layer=_best_by_layer(result.choice),
        metrics=result.metrics(seed=settings.seed),
        baselines=_baselines(labels, result, rows, settings, progress),
        evaluation=_how(result, labels, settings, given_split=rows.splits is not None),
        interval=None if labels.classes else _half_width(result),
        ensemble=None if result.versus is None else EnsembleReport.of(result.versus),
        calibration=calibration,
    )


def _target_evidence(labels: Labels, result: Nested | HeldOut) -> TargetEvidence:
    n, k = len(labels.y), max(1, len(labels.classes))
    if isinstance(result, Nested):
        proba, scored = result.out_of_fold.mean_proba[:, :k], result.out_of_fold.tested
    else:
        proba, scored = np.full((n, k), np.nan), np.zeros(n, bool)
        proba[result.test_rows], scored[result.test_rows] = result.proba[:, :k], True
    return TargetEvidence(labels.name, labels.task.name, labels.classes, labels.y, proba, scored)


def _half_width(result: Nested | HeldOut) -> float | None:
    """How far off 95 % of new numbers are at most, from the rows that models had not seen."""
    if isinstance(result, HeldOut):
        return half_width(result.y, result.proba[:, 0], result.groups)
    y, said, how = result.out_of_fold.stacked()
    return half_width(y, said[:, 0], how["groups"])


def _evaluated(labels: Labels, rows: Rows, settings: Settings, progress: Progress, label: str) -> Nested | HeldOut:
    data: tuple[Any, np.ndarray, Any] = (rows.features, labels.y, labels.task)
    options: dict[str, Any] = {
        "heads": [settings.head],
        "class_weight": settings.class_weight,
        "seed": settings.seed,
        "ensemble": settings.ensemble,
    }
    with progress.task(label, 100) as task:
        told = Percent(task.advance)
        splits = rows.splits
        if splits is None and not in_memory(rows.features):
            splits = test_apart(labels.task.strata(labels.y), rows.groups, seed=settings.seed)
        if splits is not None:
            return held_out(*data, splits, rows.groups, progress=told, **options)
        repeats = _repeats(settings, labels)
        return nested(*data, rows.groups, n_splits=settings.folds, repeats=repeats, progress=told, **options)


def _baselines(
    labels: Labels, result: Nested | HeldOut, rows: Rows, settings: Settings, progress: Progress
) -> dict[str, Metrics]:
    """The one that knows nothing of the inputs (the majority class, the mean value), and the chosen head on the inputs
    themselves, with the same penalty search and rows.

    Beside out-of-fold figures the first has seen the rows tested: a constant can hardly overfit, while shares that
    change from fold to fold run against the labels tested, and would make the floor look lower than it is.
    """
    task, y = labels.task, labels.y
    if isinstance(result, HeldOut):
        seen, truth, groups = y[result.fit_rows], result.y, result.groups
    else:
        tested = result.out_of_fold.tested
        seen, truth, groups = y[tested], y[tested], rows.groups[tested]
    floor = {task.floor_name: task.metrics(truth, np.tile(task.floor(seen), (len(truth), 1)), groups=groups)}
    if rows.raw is None:
        return floor
    same = replace(settings, head=_of_any_width(result.choice.candidate.head, task.fallback), repeats=1, ensemble=False)
    on_raw = replace(rows, features={"input": rows.raw}, raw=None)
    compared = _evaluated(labels, on_raw, same, progress, f"raw-input baseline for {labels.name}")
    return {RAW: compared.metrics(seed=settings.seed), **floor}


def _of_any_width(head: Any, fallback: str) -> Any:
    """The head; for layers of the user's own, which fit the width that they were made for, another. Of an ensemble
    the head that weighs most.
    """
    if isinstance(head, Ensemble):
        return _of_any_width(head.members[0].spec, fallback)
    named = isinstance(head, str) and not head.startswith("torch:")
    return head if named or hasattr(head, "get_params") else fallback


def _repeats(settings: Settings, labels: Labels) -> int:
    if settings.repeats is not None:
        return settings.repeats
    steady = _STEADY_AUTO if settings.head == "auto" else _STEADY
    return int(np.clip(steady // len(labels.y), 1, 5))


def _notes(result: Nested | HeldOut) -> tuple[str, ...]:
    if isinstance(result, Nested) or result.learned == len(result.fit_rows):
        return ()
    name = head_name(result.choice.candidate.head)
    said = f"{name} has to have its rows in memory: it was fitted on {result.learned:,} of {len(result.fit_rows):,}."
    able = [own for own in result.task.auto if own in IN_PIECES]
    return (f"{said} {', '.join(able[:-1])} and {able[-1]} would take all.",)


def _how(result: Nested | HeldOut, labels: Labels, settings: Settings, *, given_split: bool) -> str:
    """Where the figures come from, in words."""
    if isinstance(result, HeldOut):
        given = "given rows" if given_split else "rows"
        return f"chosen and trained on {result.learned:,} {given}, scored on {len(result.y):,} others"
    repeats = _repeats(settings, labels)
    times = f"{repeats} times " if repeats > 1 else ""
    nested_choice = ", choice made anew in each" if result.choice.table else ""
    untested = int((~result.out_of_fold.tested).sum())
    left = (
        f"; {untested:,} item{'s are' if untested > 1 else ' is'} alone in a class, and not scored" if untested else ""
    )
    return f"{times}{settings.folds} stratified folds{nested_choice}{left}"


def _best_by_layer(choice: Choice) -> dict[str, float]:
    best: dict[str, float] = {}
    for scored in choice.table:
        name = layer_name(scored.candidate.layer)
        best[name] = max(best.get(name, -np.inf), scored.score)
    return best


def _joined(candidate: Candidate) -> str:
    return "+".join(names_of(candidate.layer))


def _described(candidate: Candidate, task: Task) -> str:
    """The head with its penalty, such as `svm-rbf, penalty 0.1`."""
    if isinstance(candidate.head, Ensemble):
        return head_name(candidate.head)
    spec = candidate.head if isinstance(candidate.head, str) else task.make(candidate.head).name
    return spec if candidate.penalty is None else f"{spec}, penalty {candidate.penalty:g}"


def layers_read(candidates: Sequence[Candidate]) -> list[str]:
    """Every layer that some head reads, each once."""
    return list(dict.fromkeys(name for candidate in candidates for name in names_of(candidate.layer)))


class Percent:
    """From (done, total, label) to advances of a task of 100."""

    def __init__(self, advance: Any) -> None:
        self._advance, self._at = advance, 0

    def __call__(self, done: int, total: int, label: str) -> None:
        """So much is done."""
        del label
        now = 100 * done // max(total, 1)
        if now > self._at:
            self._advance(now - self._at)
            self._at = now
