"""From a candidate to a fitted head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from icecore.heads import make
from icecore.selection.candidates import features_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from icecore.heads import Head
    from icecore.selection.candidates import Candidate


def fit_candidate(
    candidate: Candidate,
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    n_classes: int,
    *,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> Head:
    """The head of a candidate, fitted on these rows. It predicts from `features_of(features, candidate.layer)`."""
    head = make(candidate.head, penalty=candidate.penalty, class_weight=class_weight, seed=seed)
    return head.fit(features_of(features, candidate.layer), y, n_classes=n_classes)
