"""Cross-validation of all candidates, the quick ones first: the others run on the layers where they can still win.

Nearest centroid, ridge, lda and knn are tried on every layer. A solver for each penalty, or a kernel machine for each
class, is tried where its quick cousin was not left far behind (see `screening`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.selection.candidates import (
    LAST,
    LAYERED,
    Candidate,
    features_of,
    head_name,
    layer_name,
    layers_for,
    over,
    widths_of,
)
from icecore.selection.ensembling import Tried, ensemble_of
from icecore.selection.scoring import ScoredCandidate, score_gains
from icecore.selection.screening import kernel_gains, kernel_rows, near
from icecore.tasks.base import balance

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
    """Rows, folds, and the candidates that ran so far; with `keep`, what the best penalties say of the rows too."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    task: Task
    groups: np.ndarray
    folds: Sequence[Fold]
    class_weight: Literal["balanced"] | None
    seed: int
    progress: Progress | None
    keep: bool = False
    candidates: list[Candidate] = field(default_factory=list)
    gains: list[np.ndarray] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tested = np.unique(np.concatenate([test for _, test in self.folds]))
        self._done = self._total = 0

    def run(self, layers: Sequence[Layer], heads: Sequence[Any]) -> list[ScoredCandidate]:
        """Try heads on layers, each with its whole grid of penalties."""
        quick = [head for head in heads if head_name(head) in _QUICK]
        kernel = [head for head in heads if head_name(head) == _KERNEL]
        layered = [head for head in heads if head_name(head) in LAYERED]
        slow = [head for head in heads if head not in quick and head not in kernel and head not in layered]
        self._total = len(layers) * len(heads)
        self._try(layers, quick)
        self._try(self._near_by_kernel(layers) if kernel else [], kernel)
        for head in layered:
            self._try(layers_for(head, layers, self.features), [head])
        self._done = self._total - len(layers) * len(slow)
        self._try(self._near_by_ridge(layers) if slow else [], slow)
        return self._scored(self.candidates, self.gains)

    def _try(self, layers: Sequence[Layer], heads: Sequence[Any]) -> None:
        """All heads on a layer at once, which share what can be shared."""
        tries = [(head, self.task.penalties(head)) for head in heads]
        for layer in layers if heads else ():
            self._tell(f"{', '.join(map(head_name, heads))} on {layer_name(layer)}")
            for (head, grid), values in zip(tries, self._swept(tries, layer), strict=True):
                self._note([Candidate(layer, head, penalty) for penalty in grid], values)
            self._done += len(heads)

    def _note(self, candidates: Sequence[Candidate], values: np.ndarray) -> None:
        """What each penalty gains on the tested rows, by decision values (penalties, tested, ...)."""
        gains = self._gains(values)
        self.candidates += candidates
        self.gains += list(gains)
        if self.keep:
            best = int(gains.mean(axis=1).argmax())
            self.tried.append(Tried.of(candidates[best], values[best], self.y[self.tested]))

    def ensemble(self) -> Candidate | None:
        """Picked from what was tried; None where it would be a single head."""
        y = self.y[self.tested]
        return ensemble_of(self.tried, y, balance(y, self.class_weight), self.features)

    def _swept(self, tries: Tries, layer: Layer) -> list[np.ndarray]:
        """For each of the tries the decision values of the tested rows, (penalties, tested, ...)."""
        widths = widths_of(self.features, layer)
        meant = [(over(head, widths, self.task), grid) for head, grid in tries]
        X = features_of(self.features, layer)
        how: dict[str, Any] = {"class_weight": self.class_weight, "seed": self.seed}
        return [values[:, self.tested] for values in self.task.sweep(meant, X, self.y, self.folds, **how)]

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return self.task.gains(self.y[self.tested], values, self.class_weight)

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
                found = self._gains(swept)
                gains.append(found[found.mean(axis=1).argmax()])
        ridges = [one for one in self._scored(candidates, gains) if head_name(one.candidate.head) == _COUSIN]
        reached = {one.candidate.layer for one in ridges if near(one)}
        return [layer for layer in layers if layer in reached] if ridges else list(layers)

    def _scored(self, candidates: list[Candidate], gains: list[np.ndarray]) -> list[ScoredCandidate]:
        return score_gains(candidates, np.array(gains), self.groups[self.tested])

    def _tell(self, label: str) -> None:
        if self.progress:
            self.progress(self._done, self._total, label)
