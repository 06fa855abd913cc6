"""From a candidate to a fitted head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from icecore.selection.candidates import IN_PIECES, features_of, head_name, in_memory, over, widths_of
from icecore.selection.rows import part_of
from icecore.tasks import as_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from icecore.heads import Rows
    from icecore.selection.candidates import Candidate
    from icecore.tasks import AnyHead, Task

_MOST_ROWS = 20_000  # of rows that are not in memory, for heads that have to have theirs there


def fit_candidate(
    candidate: Candidate,
    features: Mapping[str, Rows],
    y: np.ndarray,
    task: Task | int,
    *,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> AnyHead:
    """The head of a candidate, fitted on these rows. It predicts from `features_of(features, candidate.layer)`.

    Rows that are not in memory are taken piece by piece; a head that cannot be fitted so is fitted on some of them.
    """
    task = as_task(task)
    spec = over(candidate.head, widths_of(features, candidate.layer), task)
    head = task.make(spec, penalty=candidate.penalty, class_weight=class_weight, seed=seed)
    X = features_of(features, candidate.layer)
    if isinstance(X, np.ndarray):
        return task.fit(head, X, y)
    rows = learned_rows(candidate, features, task.strata(y), seed)
    return task.fit_in_pieces(head, X, y) or task.fit(head, X[rows], y[rows])


def learned_rows(candidate: Candidate, features: Mapping[str, Rows], strata: np.ndarray, seed: int) -> np.ndarray:
    """The rows that `fit_candidate` learns from."""
    if in_memory(features) or head_name(candidate.head) in IN_PIECES:
        return np.arange(len(strata))
    return part_of(strata, np.arange(len(strata)), _MOST_ROWS, seed)
