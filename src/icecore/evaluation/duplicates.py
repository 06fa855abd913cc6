"""Near-duplicates: another shot of the same thing, a re-encoded or cropped copy, a sentence with a word moved.

How alike two items are is the cosine of their features about the mean. How alike is *too* alike depends on the network
and on the data: unrelated photographs may be at 0.9 under one network and at 0.5 under another, and bottle caps on a
table are more alike than street scenes. So the distance 1 - cosine is measured by what is usual where the item lies:
the distance to its tenth nearest neighbour in its class. A pair is a near-duplicate where its distance is at most a
tenth of that for both, and its cosine at least 0.9.

Where features vary in few directions, some neighbours are so near by chance. In m directions of even density the
nearest of ten is within a share t of the tenth's distance in 9 t^(m/2) of all cases, so the share is at most the one
that makes that one in a hundred; m is read from the distances to the sixth and the tenth (as in Levina and Bickel 2004,
"Maximum likelihood estimation of intrinsic dimension"). In the features of photographs m is 10 and more, and a tenth
stands.

On TrashNet (2,527 photographs, bundled network) this joins 49 items, which are the same object from the same place; in
a sample of 2,000 of CIFAR-10 it joins 2; of 4,000 questions of banking77 209, which say the same in nearly the same
words. Of copies it finds, on TrashNet, all that were resized to 70 % or brightened, 90 % of those saved as JPEG of
quality 60 and 73 % of those cropped by 6 %, also where every photograph has six such copies; of questions, 99 % of
those that lost capitals and marks. A stronger network leaves more room between copies and others, and at a tenth finds
fewer of the copies. Where items have more than five copies each, these are what is usual, and are not found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from icecore.evaluation.folds import duplicate_groups
from icecore.evaluation.hashing import close_pairs

SHARE = 0.1
LEAST = 0.9
WHOLE = 20_000  # rows that are compared each with each
_NEIGHBOUR, _NEARER = 10, 0.6  # and the share of it that tells in how many directions there is
_BY_CHANCE = 0.01
_NUMBERS = 1 << 24  # of similarities at once
_SOME = 2000  # rows that say in how many directions all vary


def near_duplicates(
    X: np.ndarray,
    y: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    *,
    share: float = SHARE,
    least: float = LEAST,
) -> np.ndarray:
    """Groups (n,) of items that are nearly the same, joined with groups that are known; numbered by first appearance.

    Takes n * n * d multiplications at most, and memory for n * d numbers and little more; see `near_pairs`.

    Args:
        X: features (n, d).
        y: class codes (n,), to measure by what is usual in a class; None where there are no classes.
        groups: (n,), equal for items that are known to belong together, such as exact duplicates.
        share: of the distance that is usual where an item lies.
        least: cosine about the mean that near-duplicates have at least.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(40, 16))
        >>> X[1] = X[0] + 0.01
        >>> near_duplicates(X)[:4].tolist()
        [0, 0, 1, 2]
    """
    pairs, _ = near_pairs(X, y, share=share, least=least)
    return joined(np.arange(len(X)) if groups is None else groups, pairs)


def near_pairs(
    X: np.ndarray,
    y: np.ndarray | None = None,
    *,
    share: float = SHARE,
    least: float = LEAST,
    whole: int = WHOLE,
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (m, 2) of near-duplicates, each once, first row first, and their cosines (m,).

    Of more than 20,000 rows only those are compared that random planes say may be near (see `hashing`), and what is
    usual is measured, as exactly, where it is asked for. A few pairs whose cosine is barely 0.9 are missed then.

    Args:
        X: see `near_duplicates`.
        y: see there.
        share: see there.
        least: see there.
        whole: up to so many rows each is compared with each.
    """
    U, codes = _directions(X), np.zeros(len(X), np.intp) if y is None else np.asarray(y)
    if len(U) > whole:
        return _near_by_planes(U, codes, share, least)
    usual, directions = _usual(U, codes, np.arange(len(U)))
    share = _by_chance(share, directions)
    found = [_close(U, usual, rows, share, least) for rows in _blocks(len(U), len(U))]
    pairs = np.concatenate([own for own, _ in found]) if found else np.empty((0, 2), np.intp)
    return pairs, np.concatenate([cosines for _, cosines in found]) if found else np.empty(0)


def joined(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Groups (n,) in which each pair (m, 2) of rows is together, and what was; numbered by first appearance.

    Example:
        >>> joined(np.array([0, 1, 1, 2]), np.array([[0, 3]])).tolist()
        [0, 1, 1, 0]
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    ends = codes[np.asarray(pairs, np.intp).reshape(-1, 2)]
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(count, count))
    part = connected_components(graph, directed=False)[1][codes]
    return duplicate_groups([int(number).to_bytes(8, "little") for number in part])


def merged(groups: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Groups (n,) in which rows are together that are so in either; numbered by first appearance.

    Example:
        >>> merged(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
        [0, 0, 0, 1]
    """
    order = np.argsort(others, kind="stable")
    same = np.asarray(others)[order[1:]] == np.asarray(others)[order[:-1]]
    return joined(groups, np.stack([order[:-1], order[1:]], axis=1)[same])


def _directions(X: np.ndarray) -> np.ndarray:
    """Rows about their mean, of length one; a row at the mean stays there."""
    Z = np.asarray(X, np.float32)
    if not len(Z):
        return Z
    Z = Z - Z.mean(axis=0, dtype=np.float64).astype(np.float32)
    length = np.linalg.norm(Z, axis=1, keepdims=True)
    return np.asarray(np.divide(Z, length, out=np.zeros_like(Z), where=length > 0))


def _near_by_planes(U: np.ndarray, codes: np.ndarray, share: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """See `near_pairs`. In how many directions rows vary is read from some of them."""
    pairs, cosines = close_pairs(U, least)
    some = np.sort(np.random.default_rng(0).permutation(len(U))[:_SOME])
    share = _by_chance(share, _usual(U, codes, some)[1])
    usual, _ = _usual(U, codes, np.unique(pairs))
    near = cosines >= 1 - share * np.minimum(usual[pairs[:, 0]], usual[pairs[:, 1]])
    return pairs[near], cosines[near]


def _by_chance(share: float, directions: float) -> float:
    """The share, or the one within which one in a hundred would be by chance."""
    return min(share, float((_BY_CHANCE / (_NEIGHBOUR - 1)) ** (2 / directions)))


def _usual(U: np.ndarray, codes: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, float]:
    """(n,) distance of the asked rows to their tenth neighbour in their class, or to the last of fewer; and in how many
    directions these rows vary where they lie.

    A class of two says nothing of what is usual in it: it gets the median of all.
    """
    usual, directions = np.full(len(U), np.nan), np.full(len(U), np.nan)
    for code in np.unique(codes[asked]):
        members = np.flatnonzero(codes == code)
        if len(members) > 2:
            own, these = U[members], asked[codes[asked] == code]
            place = min(_NEIGHBOUR, len(members) - 1)
            nearer = max(1, round(_NEARER * place))
            for rows in _blocks(len(these), len(own)):
                distances = np.partition(1 - U[these[rows]] @ own.T, (nearer, place), axis=1)
                usual[these[rows]] = distances[:, place]
                directions[these[rows]] = _directions_of(distances[:, nearer], distances[:, place], nearer / place)
    unknown = np.isnan(usual)
    if unknown.any():
        usual[unknown] = 0.0 if unknown.all() else np.median(usual[~unknown])
    known = directions[np.isfinite(directions)]
    return usual, float(np.median(known)) if len(known) else math.inf


def _directions_of(near: np.ndarray, far: np.ndarray, share: float) -> np.ndarray:
    """(n,) in how many directions there are that share of the neighbours within `near` of those within `far`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 2 * math.log(share) / np.log(near / far)
    return np.where((near > 0) & (near < far), found, np.nan)


def _close(U: np.ndarray, usual: np.ndarray, rows: slice, share: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The near-duplicates of some rows among those that come after each, (m, 2), and their cosines (m,)."""
    cosines = U[rows] @ U[rows.start :].T
    limit = np.maximum(1 - share * np.minimum(usual[rows, None], usual[None, rows.start :]), least)
    first, second = np.nonzero(cosines >= limit)
    later = second > first
    first, second = first[later], second[later]
    return np.stack([first, second], axis=1) + rows.start, cosines[first, second]


def _blocks(n: int, width: int) -> Iterator[slice]:
    """Slices of n rows, each with a bounded number of values of that width."""
    size = max(1, _NUMBERS // max(width, 1))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
