"""Cross-validation of all candidates, the quick ones first: slow heads run only where they can still win.

Heads that need an optimiser for every penalty and fold cost ten to a hundred times what ridge costs, and seldom do much
better on the same features. So where ridge was tried, they follow on its best layers, and only if it was not left far
behind there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.heads import penalties, sweep
from icecore.selection.candidates import Candidate, features_of, head_name, layer_name
from icecore.selection.scoring import ScoredCandidate, score_all
from icecore.selection.screening import screen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.crossval import Progress
    from icecore.evaluation.folds import Fold
    from icecore.selection.candidates import Layer

    Pair = tuple[Layer, Any]

_SLOW = frozenset({"logistic", "lda", "svm", "mlp"})
_QUICK_COUSIN = "ridge"
_LAYERS_OF_SLOW = 2
_FAR_BEHIND = 2.0  # standard errors


@dataclass
class Race:
    """Rows, folds, and the candidates that ran so far."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    n_classes: int
    groups: np.ndarray
    folds: Sequence[Fold]
    class_weight: Literal["balanced"] | None
    seed: int
    progress: Progress | None
    candidates: list[Candidate] = field(default_factory=list)
    hits: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tested = np.unique(np.concatenate([test for _, test in self.folds]))

    def run(self, layers: Sequence[Layer], heads: Sequence[Any]) -> list[ScoredCandidate]:
        """Try heads on layers, each with its whole grid of penalties."""
        self._tell(0, 1, "screening layers")
        pairs = screen(
            self.features, layers, heads, y=self.y, n_classes=self.n_classes, groups=self.groups, seed=self.seed
        )
        names = [head_name(head) for _, head in pairs]
        waiting = [p for p, name in zip(pairs, names, strict=True) if name in _SLOW and _QUICK_COUSIN in names]
        quick = [pair for pair in pairs if pair not in waiting]
        self._run(quick, 0, len(pairs))
        self._run(self._promising(waiting), len(quick), len(pairs))
        return self._scored()

    def _run(self, pairs: Sequence[Pair], done: int, total: int) -> None:
        for number, (layer, head) in enumerate(pairs, start=done):
            self._tell(number, total, f"{head_name(head)} on {layer_name(layer)}")
            grid = penalties(head)
            decide = partial(sweep, class_weight=self.class_weight, seed=self.seed)
            values = decide(head, features_of(self.features, layer), self.y, self.n_classes, grid, self.folds)
            self.candidates += [Candidate(layer, head, penalty) for penalty in grid]
            self.hits += list(values[:, self.tested].argmax(axis=2) == self.y[self.tested])

    def _promising(self, waiting: Sequence[Pair]) -> list[Pair]:
        if not waiting:
            return []
        ridges = [one for one in self._scored() if head_name(one.candidate.head) == _QUICK_COUSIN]
        alive = [one for one in ridges if one.behind <= _FAR_BEHIND * one.behind_error]
        ranked = dict.fromkeys(one.candidate.layer for one in sorted(alive, key=lambda one: -one.score))
        chosen = list(ranked)[:_LAYERS_OF_SLOW]
        return [pair for pair in waiting if pair[0] in chosen]

    def _scored(self) -> list[ScoredCandidate]:
        balanced, rows = self.class_weight == "balanced", self.tested
        return score_all(self.candidates, np.array(self.hits), self.y[rows], self.groups[rows], balanced=balanced)

    def _tell(self, done: int, total: int, label: str) -> None:
        if self.progress:
            self.progress(done, total, label)
