"""The items that several fits have in common, known by their content, and what each model said of them unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from icecore.artifact import Evidence
from icecore.evaluation import merged


@dataclass(frozen=True)
class Shared:
    """Items that several fits have in common.

    Attributes:
        rows: the content key of each, in the order of the first fit.
        at: where each is in every fit, an array (n,) of each.
        groups: (n,) equal for items that stayed together in one of the fits.
    """

    rows: list[bytes]
    at: list[np.ndarray]
    groups: np.ndarray

    @staticmethod
    def of(fits: Sequence[Evidence]) -> Shared:
        """Of equal items in one fit the first stands for all."""
        places = [{row: at for at, row in reversed(list(enumerate(one.rows)))} for one in fits]
        rows = [row for row in dict.fromkeys(fits[0].rows) if all(row in place for place in places)]
        at = [np.array([place[row] for row in rows], np.int64) for place in places]
        groups = reduce(merged, (np.asarray(one.groups)[own] for one, own in zip(fits, at, strict=True)))
        return Shared(rows, at, groups)
