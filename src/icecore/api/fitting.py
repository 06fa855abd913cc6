"""Fit one target: choose, fit and score on stored features, with the baselines that put the figure into proportion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from icecore.api.labels import Labels
from icecore.api.reports import Metrics, TargetReport
from icecore.artifact import TargetEvidence
from icecore.evaluation import majority_baseline
from icecore.features import Progress
from icecore.heads import Head, make
from icecore.heads import Rows as HeadRows
from icecore.selection import (
    Candidate,
    Choice,
    HeldOut,
    Nested,
    fit_candidate,
    head_name,
    held_out,
    in_memory,
    layer_name,
    nested,
    test_apart,
)

RAW = "raw_input"
MAJORITY = "majority_class"
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


@dataclass(frozen=True, slots=True)
class Rows:
    """The items that targets are fitted on.

    Attributes:
        features: layer -> (n, d), all in memory or none.
        raw: the inputs themselves as numbers, (n, d), for the baseline; None where there is no such thing.
        groups: (n,), equal for equal items.
        splits: (n,) `train`, `val`, `test`; None to use folds.
    """

    features: Mapping[str, HeadRows]
    raw: HeadRows | None
    groups: np.ndarray
    splits: np.ndarray | None


@dataclass(frozen=True, slots=True)
class FittedTarget:
    """A fitted head, the layers that it reads, how it did, and what has to be said of it aloud."""

    labels: Labels
    candidate: Candidate
    head: Head
    report: TargetReport
    evidence: TargetEvidence
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
            candidate, rows.features, labels.codes, len(labels.classes),
            class_weight=settings.class_weight, seed=settings.seed,
        )  # fmt: skip
    report = TargetReport(
        name=labels.name,
        classes=labels.classes,
        layer=_joined(candidate),
        layer_title=layer_name(candidate.layer),
        head=_described(candidate),
        chosen_because=result.choice.reason,
        by_layer=_best_by_layer(result.choice),
        metrics=result.metrics(seed=settings.seed),
        baselines=_baselines(labels, result, rows, settings, progress),
        evaluation=_how(result, labels, settings, given_split=rows.splits is not None),
    )
    return FittedTarget(labels, candidate, head, report, _target_evidence(labels, result), _notes(result))


def _target_evidence(labels: Labels, result: Nested | HeldOut) -> TargetEvidence:
    if isinstance(result, Nested):
        proba, scored = result.out_of_fold.mean_proba, result.out_of_fold.tested
    else:
        proba, scored = np.full((len(labels.codes), len(labels.classes)), np.nan), np.zeros(len(labels.codes), bool)
        proba[result.test_rows], scored[result.test_rows] = result.proba, True
    return TargetEvidence(labels.name, "classification", labels.classes, labels.codes, proba, scored)


def _evaluated(labels: Labels, rows: Rows, settings: Settings, progress: Progress, label: str) -> Nested | HeldOut:
    data: tuple[Any, np.ndarray, int] = (rows.features, labels.codes, len(labels.classes))
    options: dict[str, Any] = {
        "heads": [settings.head],
        "class_weight": settings.class_weight,
        "seed": settings.seed,
    }
    with progress.task(label, 100) as task:
        told = Percent(task.advance)
        splits = rows.splits
        if splits is None and not in_memory(rows.features):
            splits = test_apart(labels.codes, rows.groups, seed=settings.seed)
        if splits is not None:
            return held_out(*data, splits, rows.groups, progress=told, **options)
        repeats = _repeats(settings, labels)
        return nested(*data, rows.groups, n_splits=settings.folds, repeats=repeats, progress=told, **options)


def _baselines(
    labels: Labels, result: Nested | HeldOut, rows: Rows, settings: Settings, progress: Progress
) -> dict[str, Metrics]:
    """The majority class, and the chosen head on the inputs themselves, with the same penalty search and rows."""
    codes, k = labels.codes, len(labels.classes)
    if isinstance(result, HeldOut):
        floor = majority_baseline(codes[result.fit_rows], result.y, k, groups=result.groups)
    else:
        tested = result.out_of_fold.tested
        floor = majority_baseline(codes[tested], codes[tested], k, groups=rows.groups[tested])
    if rows.raw is None:
        return {MAJORITY: floor}
    same = replace(settings, head=_of_any_width(result.choice.candidate.head), repeats=1)
    on_raw = replace(rows, features={"input": rows.raw}, raw=None)
    compared = _evaluated(labels, on_raw, same, progress, f"raw-input baseline for {labels.name}")
    return {RAW: compared.metrics(seed=settings.seed), MAJORITY: floor}


def _of_any_width(head: Any) -> Any:
    """The head; for layers of the user's own, which fit the width that they were made for, `logistic`."""
    named = isinstance(head, str) and not head.startswith("torch:")
    return head if named or hasattr(head, "get_params") else "logistic"


def _repeats(settings: Settings, labels: Labels) -> int:
    if settings.repeats is not None:
        return settings.repeats
    steady = _STEADY_AUTO if settings.head == "auto" else _STEADY
    return int(np.clip(steady // len(labels.codes), 1, 5))


def _notes(result: Nested | HeldOut) -> tuple[str, ...]:
    if isinstance(result, Nested) or result.learned == len(result.fit_rows):
        return ()
    name = head_name(result.choice.candidate.head)
    said = f"{name} has to have its rows in memory: it was fitted on {result.learned:,} of {len(result.fit_rows):,}."
    return (f"{said} ridge, logistic and svm would take all.",)


def _how(result: Nested | HeldOut, labels: Labels, settings: Settings, *, given_split: bool) -> str:
    """Where the figures come from, in words."""
    if isinstance(result, HeldOut):
        given = "given rows" if given_split else "rows"
        return f"chosen and trained on {result.learned:,} {given}, scored on {len(result.y):,} others"
    repeats = _repeats(settings, labels)
    times = f"{repeats} times " if repeats > 1 else ""
    nested_choice = ", choice made anew in each" if result.choice.table else ""
    untested = int((~result.out_of_fold.tested).sum())
    left = f"; {untested} items alone in their class are not scored" if untested else ""
    return f"{times}{settings.folds} stratified folds{nested_choice}{left}"


def _best_by_layer(choice: Choice) -> dict[str, float]:
    best: dict[str, float] = {}
    for scored in choice.table:
        name = layer_name(scored.candidate.layer)
        best[name] = max(best.get(name, 0.0), scored.score)
    return best


def _joined(candidate: Candidate) -> str:
    return candidate.layer if isinstance(candidate.layer, str) else "+".join(candidate.layer)


def _described(candidate: Candidate) -> str:
    """The head with its penalty, such as `svm-rbf, penalty 0.1`."""
    spec = candidate.head if isinstance(candidate.head, str) else make(candidate.head).name
    return spec if candidate.penalty is None else f"{spec}, penalty {candidate.penalty:g}"


def layers_read(candidates: Sequence[Candidate]) -> list[str]:
    """Every layer that some head reads, each once."""
    names = [name for c in candidates for name in ([c.layer] if isinstance(c.layer, str) else c.layer)]
    return list(dict.fromkeys(names))


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
