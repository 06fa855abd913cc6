"""Scores of candidates on the same rows, so that two of them can be compared pairwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from icecore.selection.candidates import Candidate


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate and how it did on rows that it was not trained on.

    Attributes:
        candidate: what was tried.
        score: accuracy, or balanced accuracy where classes are weighted, or that of another task; at most 1.
        standard_error: of that score.
        behind: how far behind the best candidate, on the same rows.
        behind_error: standard error of that difference.
    """

    candidate: Candidate
    score: float
    standard_error: float
    behind: float
    behind_error: float

    @property
    def within_one_error(self) -> bool:
        """Whether the best is not better by more than one standard error of the difference."""
        return self.behind <= self.behind_error


def score_all(
    candidates: list[Candidate], hits: np.ndarray, y: np.ndarray, groups: np.ndarray, *, balanced: bool
) -> list[ScoredCandidate]:
    """Scores from hits (candidates, n), True where the label was right. Groups count as one item in the errors."""
    return score_gains(candidates, hits * (_balance(y) if balanced else np.ones(len(y))), groups)


def score_gains(candidates: list[Candidate], gains: np.ndarray, groups: np.ndarray) -> list[ScoredCandidate]:
    """Scores from what each row adds, (candidates, n). Groups count as one item in the errors."""
    best = gains[gains.mean(axis=1).argmax()]
    codes = np.unique(groups, return_inverse=True)[1]
    scored = []
    for candidate, gain in zip(candidates, gains, strict=True):
        (score, error), (behind, behind_error) = _mean(gain, codes), _mean(best - gain, codes)
        scored.append(ScoredCandidate(candidate, score, error, behind, behind_error))
    return scored


def _balance(y: np.ndarray) -> np.ndarray:
    """(n,) weights of mean one, under which every class counts alike."""
    counts = np.bincount(y)
    result: np.ndarray = (len(y) / np.count_nonzero(counts) / np.maximum(counts, 1))[y]
    return result


def _mean(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error."""
    mean = float(values.mean())
    sums = np.bincount(groups, values - mean)
    return mean, float(np.sqrt((sums**2).sum()) / len(values))
