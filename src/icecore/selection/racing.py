"""Cross-validation of all candidates, the quick ones first: the others run on the layers where they can still win.

Nearest centroid, ridge, lda and knn are tried on every layer. A solver for each penalty, or a kernel machine for each
class, is tried where its quick cousin was not left far behind (see `screening`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.selection.candidates import LAST, Candidate, features_of, head_name, layer_name
from icecore.selection.scoring import ScoredCandidate, score_gains
from icecore.selection.screening import kernel_gains, kernel_rows, near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation.crossval import Progress
    from icecore.evaluation.folds import Fold
    from icecore.selection.candidates import Layer
    from icecore.tasks import Task
    from icecore.tasks.base import Tries

_COUSIN = "ridge"
_QUICK = frozenset({"centroid", _COUSIN, "lda", "knn"})
_KERNEL = "svm-rbf"


@dataclass
class Race:
    """Rows, folds, and the candidates that ran so far."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    task: Task
    groups: np.ndarray
    folds: Sequence[Fold]
    class_weight: Literal["balanced"] | None
    seed: int
    progress: Progress | None
    candidates: list[Candidate] = field(default_factory=list)
    gains: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tested = np.unique(np.concatenate([test for _, test in self.folds]))
        self._done = self._total = 0

    def run(self, layers: Sequence[Layer], heads: Sequence[Any]) -> list[ScoredCandidate]:
        """Try heads on layers, each with its whole grid of penalties."""
        quick = [head for head in heads if head_name(head) in _QUICK]
        kernel = [head for head in heads if head_name(head) == _KERNEL]
        slow = [head for head in heads if head not in quick and head not in kernel]
        self._total = len(layers) * len(heads)
        self._try(layers, quick)
        self._try(self._near_by_kernel(layers) if kernel else [], kernel)
        self._done = self._total - len(layers) * len(slow)
        self._try(self._near_by_ridge(layers) if slow else [], slow)
        return self._scored(self.candidates, self.gains)

    def _try(self, layers: Sequence[Layer], heads: Sequence[Any]) -> None:
        """All heads on a layer at once, which share what can be shared."""
        tries = [(head, self.task.penalties(head)) for head in heads]
        for layer in layers if heads else ():
            self._tell(f"{', '.join(map(head_name, heads))} on {layer_name(layer)}")
            for (head, grid), gains in zip(tries, self._swept(tries, layer), strict=True):
                self.candidates += [Candidate(layer, head, penalty) for penalty in grid]
                self.gains += list(gains)
            self._done += len(heads)

    def _swept(self, tries: Tries, layer: Layer) -> list[np.ndarray]:
        """For each of the tries the gains of the tested rows, (penalties, tested)."""
        X, rows = features_of(self.features, layer), self.tested
        found = self.task.sweep(tries, X, self.y, self.folds, class_weight=self.class_weight, seed=self.seed)
        return [self.task.gains(self.y[rows], values[:, rows], self.class_weight) for values in found]

    def _near_by_kernel(self, layers: Sequence[Layer]) -> list[Layer]:
        rows = kernel_rows(self.task.strata(self.y), self.groups, self.seed)
        y, weight = self.y[rows], self.class_weight
        gains = [kernel_gains(features_of(self.features, layer)[rows], y, self.task, weight) for layer in layers]
        stand_ins = [Candidate(layer, _KERNEL) for layer in layers]
        scored = score_gains(stand_ins, np.array(gains), self.groups[rows])
        return [one.candidate.layer for one in scored if near(one) or one.candidate.layer == LAST]

    def _near_by_ridge(self, layers: Sequence[Layer]) -> list[Layer]:
        """Against the best of all that was tried; where ridge was not among it, it is tried for this alone."""
        if not self.candidates and len(layers) == 1:
            return list(layers)
        candidates, gains = list(self.candidates), list(self.gains)
        if all(head_name(one.head) != _COUSIN for one in candidates) and len(layers) > 1:
            for layer in layers:
                (swept,) = self._swept([(_COUSIN, self.task.penalties(_COUSIN))], layer)
                candidates.append(Candidate(layer, _COUSIN))
                gains.append(swept[swept.mean(axis=1).argmax()])
        ridges = [one for one in self._scored(candidates, gains) if head_name(one.candidate.head) == _COUSIN]
        reached = {one.candidate.layer for one in ridges if near(one)}
        return [layer for layer in layers if layer in reached] if ridges else list(layers)

    def _scored(self, candidates: list[Candidate], gains: list[np.ndarray]) -> list[ScoredCandidate]:
        return score_gains(candidates, np.array(gains), self.groups[self.tested])

    def _tell(self, label: str) -> None:
        if self.progress:
            self.progress(self._done, self._total, label)
