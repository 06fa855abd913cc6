"""Labels that are likely wrong: what models that have not seen an item say against its label, and are sure of.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels"): a
class counts as said of an item where its probability is at least the mean that it has among the items of that label, so
that classes which the model is always timid about are found too. Of the items of which another class than their label
is said, those are suspects whose label is at least twenty times less probable than that class (with two classes five
times, with three ten, with four fifteen).

With 5 % of the labels replaced at random, 90 to 92 % of the suspects are among those and 67 to 77 % of those are found
on questions of banking77 (25 intents, a model that is right in 93 of 100), 90 to 100 % and 50 to 75 % on ESC-10 (89),
67 to 75 % and 51 to 62 % on TrashNet (79 to 85), 68 to 71 % and 39 to 44 % on a sample of CIFAR-10 (64); of two classes
87 to 100 % and 50 to 54 %. A model can correct labels only as far as it is better than they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_ODDS = 20.0
_ODDS_A_CLASS = 5.0  # with few classes a wrong label is never as improbable: what is left for it is shared by few


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item whose label is likely wrong.

    Attributes:
        row: which.
        given: code of its label.
        likely: code of the class that it more likely is.
        p_given: probability of the label.
        p_likely: probability of the other class.
    """

    row: int
    given: int
    likely: int
    p_given: float
    p_likely: float


def suspects(
    y: np.ndarray, proba: np.ndarray, scored: np.ndarray | None = None, *, odds: float | None = None
) -> list[Suspect]:
    """Items whose label is likely wrong, the surest first.

    Args:
        y: class codes (n,).
        proba: (n, k), each row by models that have not seen it.
        scored: (n,) whether it is; by default where the probabilities are no NaN.
        odds: how many times more probable the other class is at least; by default 20, with fewer than five classes 5
            for each other class.

    Example:
        >>> y = np.array([0] * 10 + [1] * 10)
        >>> proba = np.where(np.eye(2)[y] == 1, 0.9, 0.1)
        >>> proba[3] = [0.02, 0.98]
        >>> suspects(y, proba)
        [Suspect(row=3, given=0, likely=1, p_given=0.02, p_likely=0.98)]
    """
    y, proba = np.asarray(y), np.asarray(proba, np.float64)
    known = np.isfinite(proba).all(axis=1) if scored is None else np.asarray(scored, bool)
    rows = np.flatnonzero(known)
    if not len(rows):
        return []
    p, given = proba[rows], y[rows]
    odds = min(MOST_ODDS, _ODDS_A_CLASS * (p.shape[1] - 1)) if odds is None else odds
    said = np.where(p >= _usual(p, given), p, -1.0)
    likely = said.argmax(axis=1)
    own, other = p[np.arange(len(rows)), given], said.max(axis=1)
    against = np.flatnonzero((other > 0) & (likely != given) & (other >= odds * own))
    surest = against[np.argsort(own[against] / other[against], kind="stable")]
    return [Suspect(int(rows[i]), int(given[i]), int(likely[i]), float(own[i]), float(other[i])) for i in surest]


def _usual(p: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(k,) the mean probability of each class among the items of that label; out of reach where there are none."""
    k = p.shape[1]
    counts = np.bincount(given, minlength=k)
    sums = np.bincount(given, p[np.arange(len(p)), given], minlength=k)
    return np.asarray(np.divide(sums, counts, out=np.full(k, 2.0), where=counts > 0))
