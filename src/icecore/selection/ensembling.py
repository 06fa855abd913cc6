"""Ensembles, picked greedily from out-of-fold predictions (Caruana et al. 2004, "Ensemble selection from libraries of
models").

Everything that the choice of a single model has tried has left a probability for every row, by a head that had not seen
the row. From these an ensemble is picked one by one, with replacement: each time the candidate that lowers the log loss
of the mean the most, so that a good one may be picked often and weighs more. Only the best penalty of a head on a layer
is in the library, which leaves less to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.heads.ensemble import Ensemble, Member
from icecore.heads.steps import Softmax
from icecore.heads.sweeping import says_probabilities
from icecore.heads.temperature import temperature
from icecore.selection.candidates import Candidate, names_of, widths_of
from icecore.tasks.base import TINY

if TYPE_CHECKING:
    from icecore.selection.candidates import Layer

_ROUNDS = 25
_LEAST_GAIN = 1e-4  # of the log loss: no more are picked for less


@dataclass(frozen=True, eq=False)
class Tried:
    """A candidate and its probabilities (n, k), float32, for rows that it was not trained on."""

    candidate: Candidate
    proba: np.ndarray

    @staticmethod
    def of(candidate: Candidate, values: np.ndarray, y: np.ndarray) -> Tried:
        """From decision values (n, k), with the temperature that suits them where the head would have one."""
        warmth = 1.0 if says_probabilities(candidate.head) else temperature(values, y)
        return Tried(candidate, Softmax(warmth)(values).astype(np.float32))


def pick(tried: Sequence[Tried], y: np.ndarray, weights: np.ndarray, *, rounds: int = _ROUNDS) -> dict[int, float]:
    """The share of each candidate that is in the ensemble, by its number; the largest first, they sum to one.

    Args:
        tried: the library.
        y: class codes, (n,).
        weights: of the rows, (n,).
        rounds: how many are picked, at most: the smallest share is one in so many.

    Example:
        >>> right = Tried(Candidate("last", "ridge"), np.float32([[0.9, 0.1], [0.4, 0.6]]))
        >>> wrong = Tried(Candidate("last", "knn"), np.float32([[0.2, 0.8], [0.8, 0.2]]))
        >>> pick([wrong, right], np.array([0, 1]), np.ones(2))
        {1: 1.0}
    """
    own = np.stack([one.proba[np.arange(len(y)), y] for one in tried]).astype(np.float64)  # (candidates, n)
    return greedy(own, lambda mean: -np.log(np.maximum(mean, TINY)), weights, rounds=rounds)


def greedy(
    said: np.ndarray, loss: Callable[[np.ndarray], np.ndarray], weights: np.ndarray, *, rounds: int = _ROUNDS
) -> dict[int, float]:
    """The share of each candidate in the mean that loses least; the largest first, they sum to one.

    Args:
        said: what each candidate says of rows that it has not seen, (candidates, n, ...).
        loss: of means (candidates, n, ...), for each row (candidates, n).
        weights: of the rows, (n,).
        rounds: how many are picked, with replacement.

    Example:
        >>> numbers = np.array([[1.0, 3.0], [3.0, 5.0], [9.0, 9.0]])
        >>> greedy(numbers, lambda mean: (mean - [2.0, 4.0]) ** 2, np.ones(2))
        {0: 0.5, 1: 0.5}
    """
    shares = weights / weights.sum()
    total = np.zeros(said.shape[1:])
    picked: list[int] = []
    reached: list[float] = []
    for number in range(1, rounds + 1):
        losses = loss((total + said) / number) @ shares
        picked.append(int(losses.argmin()))
        reached.append(float(losses.min()))
        total += said[picked[-1]]
    enough = int(np.argmax(np.array(reached) <= min(reached) + _LEAST_GAIN)) + 1
    picked = picked[:enough]
    counts = np.bincount(picked)
    order = sorted(set(picked), key=lambda one: (-counts[one], one))
    return {one: float(counts[one] / len(picked)) for one in order}


def ensemble_of(
    tried: Sequence[Tried], y: np.ndarray, weights: np.ndarray, features: Mapping[str, Any]
) -> Candidate | None:
    """The ensemble as a candidate; None where it would be a single head."""
    shares = pick(tried, y, weights)
    return combined({tried[one].candidate: share for one, share in shares.items()}, features)


def combined(shares: Mapping[Candidate, float], features: Mapping[str, Any]) -> Candidate | None:
    """Several candidates as one, which reads the layers of all in the order in which they run."""
    if len(shares) < 2:
        return None
    used = {name for candidate in shares for name in names_of(candidate.layer)}
    layers = tuple(name for name in features if name in used)
    stops = np.cumsum(widths_of(features, layers)).tolist()
    at = {name: (stop - features[name].shape[1], stop) for name, stop in zip(layers, stops, strict=True)}
    members = tuple(
        Member(one.head, one.penalty, tuple(at[name] for name in names_of(one.layer)), share)
        for one, share in shares.items()
    )
    layer: Layer = layers if len(layers) > 1 else layers[0]
    return Candidate(layer, Ensemble(members))
