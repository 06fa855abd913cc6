"""From a candidate to a fitted head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from icecore.heads import make
from icecore.heads.piecewise import PiecewiseHead
from icecore.selection.candidates import IN_PIECES, features_of, head_name, in_memory
from icecore.selection.rows import part_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from icecore.heads import Head, Rows
    from icecore.selection.candidates import Candidate

_MOST_ROWS = 20_000  # of rows that are not in memory, for heads that have to have theirs there


def fit_candidate(
    candidate: Candidate,
    features: Mapping[str, Rows],
    y: np.ndarray,
    n_classes: int,
    *,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> Head:
    """The head of a candidate, fitted on these rows. It predicts from `features_of(features, candidate.layer)`.

    Rows that are not in memory are taken piece by piece; a head that cannot be fitted so is fitted on some of them.
    """
    head = make(candidate.head, penalty=candidate.penalty, class_weight=class_weight, seed=seed)
    X = features_of(features, candidate.layer)
    if isinstance(X, np.ndarray):
        return head.fit(X, y, n_classes=n_classes)
    if isinstance(head, PiecewiseHead):
        return head.fit_in_pieces(X, y, n_classes=n_classes)
    rows = learned_rows(candidate, features, y, seed)
    return head.fit(X[rows], y[rows], n_classes=n_classes)


def learned_rows(candidate: Candidate, features: Mapping[str, Rows], y: np.ndarray, seed: int) -> np.ndarray:
    """The rows that `fit_candidate` learns from."""
    if in_memory(features) or head_name(candidate.head) in IN_PIECES:
        return np.arange(len(y))
    return part_of(y, np.arange(len(y)), _MOST_ROWS, seed)
