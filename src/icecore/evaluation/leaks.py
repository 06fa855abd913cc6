"""Leaks: items of the rows that are scored which are, or nearly are, among those that a model learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Leaks:
    """What two given splits have in common.

    Attributes:
        split: of the items that leak: `test` or `val`.
        rows: (m,) the rows of that split whose group is also among the earlier splits.
        partners: (m,) for each the first such row there.
        total: how many rows the split has.
    """

    split: str
    rows: np.ndarray
    partners: np.ndarray
    total: int

    def __len__(self) -> int:
        return len(self.rows)


def leaks(splits: np.ndarray, groups: np.ndarray) -> list[Leaks]:
    """The leaks of given splits: from `train` and `val` into `test`, and from `train` into `val`. Only what leaks.

    Args:
        splits: (n,), `train`, `val` or `test` a row.
        groups: (n,), equal for items that are, or nearly are, the same, or that belong together.

    Example:
        >>> found = leaks(np.array(["train", "train", "test", "test"]), np.array([7, 8, 8, 9]))
        >>> [(one.split, one.rows.tolist(), one.partners.tolist(), one.total) for one in found]
        [('test', [2], [1], 2)]
    """
    splits, groups = np.asarray(splits), np.asarray(groups)
    found = [
        _into("test", np.flatnonzero(splits == "test"), np.flatnonzero(np.isin(splits, ["train", "val"])), groups),
        _into("val", np.flatnonzero(splits == "val"), np.flatnonzero(splits == "train"), groups),
    ]
    return [one for one in found if len(one)]


def _into(split: str, rows: np.ndarray, earlier: np.ndarray, groups: np.ndarray) -> Leaks:
    first = {int(group): int(row) for row, group in zip(earlier[::-1], groups[earlier[::-1]], strict=True)}
    leaking = [int(row) for row in rows if int(groups[row]) in first]
    partners = [first[int(groups[row])] for row in leaking]
    return Leaks(split, np.array(leaking, np.intp), np.array(partners, np.intp), len(rows))
