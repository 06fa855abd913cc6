"""What is worth looking at: mistakes, suspect labels, items found twice, items unlike the rest."""

from __future__ import annotations

import numpy as np

from icecore.errors import DataError
from icecore.evaluation import leaks, near_pairs, outlier_scores, outlying_class
from icecore.evaluation.duplicates import joined
from icecore.reporting import words
from icecore.reporting.material import Material, Scored
from icecore.reporting.parts import Gallery, Group, Groups

MOST = 48
_GROUPS, _IN_GROUP = 24, 6
_FAR = 0.01
_MOST_WIDE = 1 << 15
_OUTLIERS = 24


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
    return Gallery("mistakes", "Its worst mistakes", said, tuple(order.tolist()), ("",) * len(order), len(at))


def suspects(scored: Scored) -> Gallery | None:
    """Items whose label is likely wrong."""
    every = scored.target.suspects()
    if not every:
        return None
    found = every[:MOST]
    names = scored.names
    captions = tuple(
        f"labelled {names[one.given]}, looks like {names[one.likely]} ({words.percent(one.p_likely)})" for one in found
    )
    said = (
        "Heads of several kinds that had not seen these items say confidently something other than their label. "
        "Some are right and the label is wrong: worth looking through, for wrong labels cost more than missing ones. "
        f"{_first(len(every))}"
    )
    return Gallery("suspects", "Labels that look wrong", said, tuple(one.row for one in found), captions, len(every))


def _first(total: int) -> str:
    return "The surest come first." if total <= MOST else f"These are the {MOST} surest of {total:,}."


def outliers(scored: Scored, features: np.ndarray) -> Gallery | None:
    """Items that are unlike the others of every class, by their features."""
    rows = np.flatnonzero(np.isfinite(features).all(1))
    try:
        scores, p_values = outlier_scores(features[rows], scored.y[rows], features[rows], scored.groups[rows])
    except DataError:  # too few to say what is typical
        return None
    far = np.flatnonzero(p_values <= max(_FAR, 1.001 / (len(rows) + 1)))
    order = rows[far[np.argsort(-scores[far], kind="stable")][:_OUTLIERS]]
    if not len(order):
        return None
    said = (
        "To the network these are the items least like the rest of their data: odd pictures, wrong files, another "
        "source. One in a hundred is to be expected here; the farthest come first."
    )
    return Gallery("outliers", "Unlike the rest", said, tuple(order.tolist()), ("",) * len(order), len(far))


def lies_apart(scored: Scored, features: np.ndarray) -> str:
    """What is said of a class whose items are unlike those of all others; empty where there is none."""
    rows = np.flatnonzero(np.isfinite(features).all(1))
    found = outlying_class(features[rows], scored.y[rows]) if features.shape[1] <= _MOST_WIDE else None
    if found is None:
        return ""
    share = words.percent(found.share)
    name = scored.names[found.code]
    return f"{share} of {name} are unlike every other class. If they come from another source, it is told by that."


def duplicates(material: Material, scored: Scored, features: np.ndarray) -> Groups | None:
    """Items that are the same or nearly, by content and by features; those on both sides of a given split first."""
    assert material.evidence is not None  # noqa: S101 - there are scores
    rows = np.flatnonzero(np.isfinite(features).all(1))
    if len(rows) < 2:
        return None
    keys = {key: place for place, key in reversed(list(enumerate(material.evidence.rows)))}
    same = np.array([keys[key] for key in material.evidence.rows])
    pairs = rows[near_pairs(features[rows], scored.y[rows])[0]]
    groups = joined(same, pairs)
    sizes = np.bincount(groups)
    several = [np.flatnonzero(groups == group) for group in np.flatnonzero(sizes > 1)]
    if not several:
        return None
    leaking = _leaking(material, groups)
    found = [_group(own, material, scored, same, bool(leaking & set(own.tolist()))) for own in several]
    found.sort(key=lambda group: (not group.tag.startswith("leak"), not group.tag, -len(group.rows)))
    tagged = sum(group.tag.startswith("leak") for group in found)
    said = (
        f"{words.count(len(found), 'set')} of items that are the same, or so alike that one tells the label of the "
        "other. Where one is among the rows that a model learns from and its copy among those that it is scored on, "
        "the figure flatters: that is a leak."
    )
    return Groups(said, tuple(found[:_GROUPS]), len(found), tagged)


def _leaking(material: Material, groups: np.ndarray) -> set[int]:
    assert material.evidence is not None  # noqa: S101 - see `duplicates`
    splits = material.evidence.splits
    found = [] if splits is None else leaks(splits, groups)
    return {int(row) for one in found for row in one.rows}


def _group(rows: np.ndarray, material: Material, scored: Scored, same: np.ndarray, leak: bool) -> Group:
    """What is said of items that are alike: whether they are equal, whether their labels agree, where they stand."""
    assert material.evidence is not None  # noqa: S101 - see `duplicates`
    splits = material.evidence.splits
    names = [scored.names[code] for code in scored.y[rows]]
    equal = len(set(same[rows].tolist())) == 1
    said = f"{len(rows)} {'equal' if equal else 'nearly equal'}"
    tag = "leak between splits" if leak else "labels differ" if len(set(names)) > 1 else ""
    shown = rows[:_IN_GROUP].tolist()
    captions = tuple(
        name if splits is None else f"{name}, {splits[row]}" for name, row in zip(names, shown, strict=False)
    )
    return Group(said, tuple(shown), captions, tag)
