"""The choice of layer, head and penalty on stored features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.errors import DataError
from icecore.evaluation.folds import folds as make_folds
from icecore.selection.candidates import Candidate, head_rank, heads_for, in_memory, layer_rank, layers_of, read
from icecore.selection.racing import Race
from icecore.selection.rows import part_of
from icecore.tasks import as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.crossval import Progress
    from icecore.evaluation.folds import Fold
    from icecore.heads import Rows
    from icecore.selection.candidates import Layer
    from icecore.selection.scoring import ScoredCandidate
    from icecore.tasks import Task

MOST_ROWS = 4000
_NOTHING = "There was nothing to choose."
_MANY = 1000  # rows from which three folds tell as much as five


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, among what, and why.

    Attributes:
        candidate: the choice.
        table: all candidates that were cross-validated, best score first; empty where there was nothing to choose.
        reason: one sentence.
        ensemble: what was picked of all that was tried; None where that was not asked for, or is a single head.
    """

    candidate: Candidate
    table: tuple[ScoredCandidate, ...]
    reason: str
    ensemble: Candidate | None = None


def choose(
    features: Mapping[str, Rows],
    y: np.ndarray,
    task: Task | int,
    groups: np.ndarray | None = None,
    *,
    heads: Sequence[Any] = ("auto",),
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
    folds: Sequence[Fold] | None = None,
    joint: bool = True,
    ensemble: bool = False,
    progress: Progress | None = None,
) -> Choice:
    """Choose by cross-validation; of candidates within one standard error of the best, the simplest.

    The standard error is that of the paired difference to the best on the same rows (Breiman et al. 1984, with pairs).
    Simpler is: head first (centroid, ridge, logistic, lda, svm, knn, svm-rbf, mlp), then `last` before another layer
    before several layers side by side, then the stronger penalty. All heads are tried on all layers but where a
    quicker cousin of a head is far behind on a layer (see `racing`).

    Args:
        features: layer -> rows (n, d), in the order in which the layers run. Of more than 4,000 rows so many are read.
        y: class codes, shape (n,), or what the task says.
        task: what is learned; a number stands for so many classes.
        groups: shape (n,), equal for equal items.
        heads: specs, or `auto`. A spec that says its penalty keeps it.
        class_weight: as the heads take it; with `balanced`, balanced accuracy decides among heads for classes.
        seed: of folds and heads.
        folds: pairs of (train, test) row numbers to use instead of own folds: given validation rows, for instance.
        joint: whether blocks side by side are candidates too.
        ensemble: pick an ensemble too, see `ensembling`; of classes, one a row.
        progress: called with (done, total, label).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(60) % 2
        >>> X = rng.normal(size=(60, 4)).astype(np.float32) + 3 * y[:, None]
        >>> print(choose({"last": X}, y, 2).candidate.layer)
        last
    """
    y, task = np.asarray(y), as_task(task)
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    meant = heads_for(heads, len(y), in_pieces=not in_memory(features), auto=task.auto)
    if len(features) * len(meant) == 1 and len(task.penalties(meant[0])) == 1:
        return Choice(Candidate(next(iter(features)), meant[0], task.penalties(meant[0])[0]), (), _NOTHING)
    strata = task.strata(y)
    try:
        rows, plan = _folds_of(strata, groups, seed) if folds is None else _given(folds, strata, groups, features, seed)
    except DataError:
        return _simplest(layers_of(read(features, np.arange(min(len(y), MOST_ROWS)))), meant)
    part = read(features, rows)
    race = Race(part, y[rows], task, groups[rows], plan, class_weight, seed, progress, keep=ensemble)
    choice = decide(race.run(layers_of(part, joint=joint), meant))
    return replace(choice, ensemble=race.ensemble()) if ensemble else choice


def _folds_of(y: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, Sequence[Fold]]:
    """Rows to choose on, and folds of them."""
    rows = part_of(y, groups, MOST_ROWS, seed)
    return rows, make_folds(y[rows], groups[rows], n_splits=3 if len(rows) >= _MANY else 5, seed=seed)


def _given(
    folds: Sequence[Fold], y: np.ndarray, groups: np.ndarray, features: Mapping[str, Rows], seed: int
) -> tuple[np.ndarray, Sequence[Fold]]:
    """The same for given folds: all their rows where these are in memory, else a part of each side."""
    if in_memory(features):
        return np.arange(len(y)), folds
    sides = [[side[part_of(y[side], groups[side], MOST_ROWS, seed)] for side in fold] for fold in folds]
    rows = np.unique(np.concatenate([side for fold in sides for side in fold]))
    return rows, [(np.searchsorted(rows, train), np.searchsorted(rows, test)) for train, test in sides]


def _simplest(layers: Sequence[Layer], heads: Sequence[Any]) -> Choice:
    """What is taken where nothing can be tried: the simplest head that was offered, on `last` or else the top layer."""
    layer = min(reversed(layers), key=layer_rank)
    return Choice(Candidate(layer, heads[0]), (), "There are too few items to try anything; the simplest was taken.")


def decide(scored: Sequence[ScoredCandidate]) -> Choice:
    """Of the candidates within one standard error of the best the simplest."""
    table = sorted(scored, key=lambda one: (-one.score, head_rank(one.candidate.head)))
    near = [one for one in table if one.within_one_error]
    simplest = min(near, key=lambda one: _rank(one.candidate))  # of equally simple ones the best, which comes first
    same = [one for one in near if _but_penalty(one) == _but_penalty(simplest)]
    chosen = max(same, key=lambda one: one.candidate.penalty or 0.0)
    return Choice(chosen.candidate, tuple(table), _reason(chosen, table[0]))


def _rank(candidate: Candidate) -> tuple[int, int]:
    return head_rank(candidate.head), layer_rank(candidate.layer)


def _but_penalty(one: ScoredCandidate) -> tuple[Layer, int]:
    return one.candidate.layer, id(one.candidate.head)


def _reason(chosen: ScoredCandidate, best: ScoredCandidate) -> str:
    said = f"{chosen.candidate} has {chosen.score:.3f}"
    if chosen is best or chosen.behind <= 0:
        return f"{said}, the best of all."
    return (
        f"{said} and is the simplest within one standard error ({chosen.behind_error:.3f}) "
        f"of the best, {best.candidate} with {best.score:.3f}."
    )
