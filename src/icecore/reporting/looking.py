"""What is worth looking at: mistakes, suspect labels, items found twice, items unlike the rest."""

from __future__ import annotations

import numpy as np

from icecore.reporting import words
from icecore.reporting.material import Scored
from icecore.reporting.parts import Gallery

MOST = 48


def mistakes(scored: Scored) -> Gallery | None:
    """The items that the model got wrong while it was surest."""
    at = np.flatnonzero(scored.wrong)
    if not len(at):
        return None
    proba = scored.proba
    own = proba[at, scored.y[at]]
    order = at[np.argsort(own - scored.confidence[at], kind="stable")][:MOST]
    said = (
        f"Of {words.count(int(scored.known.sum()), 'scored item')}, {len(at):,} got another label than they have. "
        "These are the ones where it was surest of it: some are hard, some are odd, and some may be labelled wrongly."
    )
    return Gallery("mistakes", "Its worst mistakes", said, tuple(order.tolist()), ("",) * len(order))
