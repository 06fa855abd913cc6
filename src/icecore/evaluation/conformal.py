"""Prediction sets: of the classes, those that cannot be ruled out at a chosen coverage.

The threshold is that of split conformal prediction, on probabilities of items that the model has not seen. Where these
are out-of-fold, each from a model on most of the rows, this is cross-conformal prediction (Vovk 2015, "Cross-conformal
predictors"): its guarantee is weaker than its practice, in which the coverage comes out as chosen. Two scores:

- `lac`, the probability of the class itself (Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers
  with bounded error levels"): the smallest sets on average. A set may be empty, for an input that resembles no class.
- `aps`, the probability of all classes that are more likely, and of the class itself (Romano, Sesia and Candès 2020,
  "Classification with valid and adaptive coverage"): larger sets, whose size says how hard the input is. Without the
  random part of the paper, so that the same input gets the same set, and the coverage is rather above the chosen one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from icecore.errors import UsageError

Method = Literal["lac", "aps"]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Makes prediction sets of probabilities.

    Attributes:
        method: `lac` or `aps`.
        coverage: the share of new items whose set holds their class.
        threshold: scores up to it are in the set.
        items: how many items it was found on, duplicates counted once.
    """

    method: Method
    coverage: float
    threshold: float
    items: int

    def sets(self, proba: np.ndarray) -> np.ndarray:
        """(n, k) of probabilities (n, k): whether the class is in the set."""
        return np.asarray(_scores(np.asarray(proba, np.float64), self.method) <= self.threshold)


def conformal(
    y: np.ndarray,
    proba: np.ndarray,
    coverage: float = 0.95,
    groups: np.ndarray | None = None,
    *,
    method: Method = "lac",
) -> Conformal:
    """What makes prediction sets that hold the true class of a share `coverage` of new items.

    Args:
        y: class codes (n,).
        proba: (n, k), of items that the model has not seen.
        coverage: between 0 and 1. With n items at most n / (n + 1) can be had: 19 for 0.95.
        groups: (n,), equal for equal items, which count as one.
        method: see the module.

    Raises UsageError for a coverage that cannot be had.

    Example:
        >>> y = np.array([0, 1] * 20)
        >>> proba = np.where(np.eye(2)[y] == 1, 0.8, 0.2)
        >>> conformal(y, proba, 0.9).sets(np.array([[0.95, 0.05], [0.15, 0.85]])).tolist()
        [[True, False], [False, True]]
    """
    y = np.asarray(y)
    _require(coverage, len(y))
    codes = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    scores = _scores(np.asarray(proba, np.float64), method)[np.arange(len(y)), y]
    items = int(codes.max()) + 1
    needed = math.ceil(round((items + 1) * coverage, 9))
    if needed > items:
        raise UsageError(
            f"A coverage of {coverage:g} was asked for, and {items} items have predictions of models that have not "
            "seen them.",
            expected=f"Expected at least {math.ceil(round(coverage / (1 - coverage), 9))} such items.",
            do=f"Choose a coverage of at most {items / (items + 1):.2f}, or fit on more items.",
        )
    order = np.argsort(scores, kind="stable")
    weights = (1 / np.bincount(codes))[codes][order]
    at = int(np.searchsorted(np.cumsum(weights), needed - 1e-9))
    return Conformal(method, coverage, float(scores[order][min(at, len(y) - 1)]), items)


def _scores(proba: np.ndarray, method: Method) -> np.ndarray:
    """(n, k) how little each class conforms; the smaller the better."""
    if method == "lac":
        return 1 - proba
    order = np.argsort(-proba, axis=1, kind="stable")
    above = np.cumsum(np.take_along_axis(proba, order, axis=1), axis=1)
    result = np.empty_like(above)
    np.put_along_axis(result, order, above, axis=1)
    return result


def _require(coverage: float, rows: int) -> None:
    if not 0 < coverage < 1:
        raise UsageError(
            f"A coverage of {coverage:g} was asked for.", expected="A share between 0 and 1, such as 0.95."
        )
    if not rows:
        raise UsageError("There is no item with a prediction of a model that has not seen it.", do="Fit on more items.")
