"""What has to stay together: equal items, nearly equal ones, and those that the user says belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icecore.artifact import Evidence
from icecore.evaluation import Leaks, duplicate_groups, joined, leaks, merged, near_pairs
from icecore.features import Features
from icecore.heads import Rows

LEFT_OUT = "left out"
_EXAMPLES = 5


@dataclass(frozen=True)
class Separated:
    """Groups that never straddle, and splits without what leaks.

    Attributes:
        groups: (n,), equal for items that stay together.
        splits: (n,), the given split names; `left out` for items that leak out of the scored one. None without splits.
        near: sets of items that are nearly the same, as rows, the first item of each first.
        leaks: what given splits have in common.
        notes: sentences to say aloud.
    """

    groups: np.ndarray
    splits: np.ndarray | None
    near: list[list[int]] = field(default_factory=list)
    leaks: list[Leaks] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def nearly_the_same(self) -> int:
        """How many items have a near-duplicate."""
        return sum(len(rows) for rows in self.near)


def separate(
    features: Features, matrices: Mapping[str, Rows], y: np.ndarray | None, splits: np.ndarray | None
) -> Separated:
    """Find what belongs together and what leaks.

    Args:
        features: of the data, with the user's own groups.
        matrices: layer -> (n, d); near-duplicates are looked for on `last`, or else on the layer that comes last.
        y: class codes (n,), where the target has classes.
        splits: given split names.
    """
    given = features.dataset.groups
    known = duplicate_groups(features.origins)
    known = known if given is None else merged(known, given)
    X = _layer(matrices)
    looked = isinstance(X, np.ndarray)
    pairs = near_pairs(X, y)[0] if isinstance(X, np.ndarray) else np.empty((0, 2), np.intp)
    pairs, alike = (pairs, 0) if y is None else _apart_from_uniform(known, pairs, y)
    groups = joined(known, pairs)
    sets = _sets(pairs[known[pairs[:, 0]] != known[pairs[:, 1]]], len(known))
    names = _Names(features)
    notes = ([] if looked else [_IN_STORE.format(rows=len(known))]) + ([_ALIKE.format(classes=alike)] if alike else [])
    notes += _near_note(sets, names)
    if splits is None:
        return Separated(groups, None, sets, [], tuple(notes))
    found = leaks(splits, groups)
    kept, said = _without_leaks(splits, found, names)
    return Separated(groups, kept, sets, found, (*notes, *said))


def groups_of(features: Features, evidence: Evidence | None) -> np.ndarray:
    """Groups (n,) of items: equal ones, and those that belonged together in a fit that had them too."""
    exact = duplicate_groups(features.origins)
    given = features.dataset.groups
    exact = exact if given is None else merged(exact, given)
    if evidence is None:
        return exact
    known = dict(zip(evidence.rows, evidence.groups.tolist(), strict=True))
    return merged(exact, np.array([known.get(row, -1 - place) for place, row in enumerate(features.rows)]))


def leaks_json(found: Sequence[Leaks], features: Features) -> list[dict[str, Any]]:
    """Each leaking split with how many items leak and the first of them with their partners."""
    names = _Names(features)
    return [
        {
            "split": one.split,
            "items": len(one),
            "of": one.total,
            "examples": [
                [names[row], names[partner]]
                for row, partner in zip(one.rows[:_EXAMPLES], one.partners[:_EXAMPLES], strict=True)
            ],
        }
        for one in found
    ]


_IN_STORE = (
    "Near-duplicates were not looked for among {rows:,} items whose features stay in the store; exact ones stay "
    "together all the same. Items that belong together can be named with --group (groups=)."
)
_ALIKE = (
    "In {classes:,} of the classes nearly all items are nearly the same, so only exact duplicates stay together there: "
    "figures may be too good for items that differ more. --group (groups=) names items that belong together."
)
_FEWEST = 5  # different items that near-duplicates leave of a class: with fewer it cannot be learned and scored


def _apart_from_uniform(known: np.ndarray, pairs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, int]:
    """The pairs without those of classes that they would leave too few different items of, and how many these are."""
    groups = joined(known, pairs)
    uniform = [
        code
        for code in np.unique(y)
        if len(np.unique(groups[y == code])) < min(_FEWEST, len(np.unique(known[y == code])))
    ]
    return pairs[~np.isin(y[pairs], uniform).any(axis=1)], len(uniform)


class _Names:
    """Names of items by row."""

    def __init__(self, features: Features) -> None:
        self._inputs = features.dataset.inputs

    def __getitem__(self, row: int) -> str:
        return self._inputs[int(row)].name[:80]


def _layer(matrices: Mapping[str, Rows]) -> Rows:
    names = [name for name in matrices if name == "last" or name.startswith("last (")]
    return matrices[names[0] if names else list(matrices)[-1]]


def _sets(pairs: np.ndarray, n: int) -> list[list[int]]:
    """The rows that pairs (m, 2) connect, set by set."""
    rows = np.unique(pairs)
    if not len(rows):
        return []
    part = joined(np.arange(n), pairs)[rows]
    return [rows[part == number].tolist() for number in dict.fromkeys(part.tolist())]


def _near_note(sets: Sequence[Sequence[int]], names: _Names) -> list[str]:
    if not sets:
        return []
    count = sum(len(rows) for rows in sets)
    first, second = sets[0][:2]
    return [
        f"{count:,} items are nearly the same as others ({len(sets):,} {'sets' if len(sets) > 1 else 'set'}, such as "
        f"{names[first]} and {names[second]}): each set stays on one side of every split and counts as one item."
    ]


def _without_leaks(splits: np.ndarray, found: Sequence[Leaks], names: _Names) -> tuple[np.ndarray, tuple[str, ...]]:
    """Splits in which what leaks out of the scored one is left out; where that is most of it, it stays."""
    scored = "test" if (splits == "test").any() else "val"
    kept, notes = splits.copy(), []
    for one in found:
        if one.split == scored and 2 * len(one) <= one.total:
            kept[one.rows] = LEFT_OUT
            then = "they are left out of the score"
        elif one.split == scored:
            then = "they are scored, and their like is not trained on"
        else:
            then = "their like does not take part in the choice"
        are = (
            "items are, or nearly are, or belong to ones"
            if len(one) > 1
            else "items is, or nearly is, or belongs to one"
        )
        notes.append(
            f"{len(one):,} of the {one.total:,} {one.split} {are} among those before them "
            f"({names[one.rows[0]]} and {names[one.partners[0]]}): {then}."
        )
    return kept, tuple(notes)
