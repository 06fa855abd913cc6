"""Whether an ensemble pays: against the best single head, on rows that neither was chosen or trained on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.evaluation.estimate import Estimate
from icecore.evaluation.paired import paired_difference
from icecore.heads.ensemble import Ensemble
from icecore.heads.rows import pieces
from icecore.selection.candidates import Candidate, features_of, names_of
from icecore.selection.fitting import fit_candidate

if TYPE_CHECKING:
    from icecore.heads import Rows
    from icecore.selection.choosing import Choice
    from icecore.tasks import AnyHead, Task

_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Versus:
    """An ensemble against the best single head.

    Attributes:
        single: the best single head.
        ensemble: what was picked; None where nothing is better than one head.
        gain: in accuracy (balanced accuracy where classes are weighted), ensemble minus single, with its interval.
        seconds: for a thousand items, from features to probabilities: of the single head and of the ensemble.
    """

    single: Candidate
    ensemble: Candidate | None
    gain: Estimate
    seconds: tuple[float, float]

    @property
    def pays(self) -> bool:
        """Whether the ensemble is better beyond the interval."""
        return self.ensemble is not None and self.gain.low > 0

    @property
    def members(self) -> list[tuple[Candidate, float]]:
        """The heads of the ensemble, each on its layers, with their shares."""
        if self.ensemble is None or not isinstance(self.ensemble.head, Ensemble):
            return []
        parts, names = self.ensemble.head.members, names_of(self.ensemble.layer)
        name_at = dict(zip(sorted({span for one in parts for span in one.spans}), names, strict=True))
        found = []
        for one in parts:
            own = tuple(name_at[span] for span in one.spans)
            found.append((Candidate(own if len(own) > 1 else own[0], one.spec, one.penalty), one.weight))
        return found

    def settle(self, choice: Choice) -> Choice:
        """The choice with the ensemble in the place of its candidate where that pays, and a reason that says so."""
        if self.ensemble is None:
            return replace(choice, reason=f"{choice.reason} No ensemble of what was tried is better than one head.")
        compared = f"An ensemble of {len(self.members)} heads is {_points(self.gain)} better"
        if not self.pays:
            said = f"{compared}: not beyond the interval, so the single head stays."
            return replace(choice, reason=f"{choice.reason} {said}")
        return replace(choice, candidate=self.ensemble, reason=f"{choice.reason} {compared}, and takes its place.")


def gain(y: np.ndarray, single: np.ndarray, ensemble: np.ndarray, groups: np.ndarray, *, balanced: bool) -> Estimate:
    """The difference of accuracies, from probabilities (repeats, n, k) of both for rows with class codes (n,).

    Of balanced accuracies: the mean over classes of the difference within each, as if the classes were samples of their
    own.
    """
    right = [(proba.argmax(axis=2) == y).mean(axis=0) for proba in (ensemble, single)]
    if not balanced:
        return paired_difference(right[0], right[1], groups)
    own = [paired_difference(right[0][y == c], right[1][y == c], groups[y == c]) for c in np.unique(y)]
    value = float(np.mean([one.value for one in own]))
    low = np.linalg.norm([one.value - one.low for one in own]) / len(own)
    high = np.linalg.norm([one.high - one.value for one in own]) / len(own)
    return Estimate(value, value - float(low), value + float(high))


@dataclass(frozen=True, slots=True)
class Answer:
    """A fitted head, what it says (m, width) of tested rows, and the seconds that this took for a thousand."""

    head: AnyHead
    said: np.ndarray
    seconds: float


def answer(
    candidate: Candidate,
    features: Mapping[str, Rows],
    y: np.ndarray,
    task: Task,
    tested: Mapping[str, Rows],
    **how: Any,
) -> Answer:
    """Fit a candidate on some rows and ask it about others."""
    head = fit_candidate(candidate, features, y, task, **how)
    rows = features_of(tested, candidate.layer)
    began = time.perf_counter()
    said = np.concatenate([task.says(head, piece) for _, piece in pieces(rows)])
    return Answer(head, said, _THOUSAND * (time.perf_counter() - began) / max(1, len(rows)))


def _points(gain: Estimate) -> str:
    """In points of a hundred."""
    value, low, high = (f"{100 * part:+.1f}" for part in (gain.value, gain.low, gain.high))
    return f"{value} points [{low}, {high}]"
