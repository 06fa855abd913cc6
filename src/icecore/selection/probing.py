"""How well each layer of a network suits the labels, by quick probes: for comparing networks, not for the final model.

Every head, with every penalty, predicts every row from folds that did not train on it. What is best is then chosen for
each fold from the rows of the other folds, and scored on its own: so no row's answer takes part in the choice that it
scores, and nothing is fitted twice. (Choosing on the same pooled answers would flatter whoever has most layers;
Tsamardinos et al. 2018.) With few rows the choice is a matter of luck, so the folds are drawn several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.evaluation import h_score, logme, share_right
from icecore.heads import penalties, sweep_all
from icecore.selection.candidates import Candidate, features_of, head_name, layer_name, layers_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation import Estimate, Fold, Progress
    from icecore.selection.candidates import Layer

PROBES = ("centroid", "ridge", "lda", "knn")
_SHOWN_TOO = ("centroid", "knn")


@dataclass(frozen=True, slots=True)
class LayerScore:
    """What probes and scores say of one layer, or of several side by side.

    Attributes:
        layer: which.
        head: the probe that did best on all rows, with its penalty.
        accuracy: of the best probe, chosen without the rows that score it.
        knn: of k nearest neighbours, k chosen likewise.
        centroid: of the nearest class mean.
        logme: see `icecore.evaluation.logme`; None for several layers side by side.
        h_score: see `icecore.evaluation.h_score`; likewise.
    """

    layer: Layer
    head: Candidate
    accuracy: Estimate
    knn: Estimate
    centroid: Estimate
    logme: Estimate | None
    h_score: Estimate | None


@dataclass(frozen=True, slots=True)
class Probed:
    """What probes say of a network.

    Attributes:
        accuracy: of the best probe on the best layer, both chosen without the rows that score them.
        knn: of k nearest neighbours, k and layer chosen likewise.
        centroid: of the nearest class mean, the layer chosen likewise.
        right: (rows that are tested,) how often the best probe was right, 0 to 1; the mean over repeats.
        best: layer, head and penalty that did best on all rows.
        layers: every layer, in the order in which they run, several side by side last.
    """

    accuracy: Estimate
    knn: Estimate
    centroid: Estimate
    right: np.ndarray
    best: Candidate
    layers: tuple[LayerScore, ...]

    @property
    def logme(self) -> Estimate | None:
        """The highest of any layer."""
        return _highest([layer.logme for layer in self.layers])

    @property
    def h_score(self) -> Estimate | None:
        """The highest of any layer."""
        return _highest([layer.h_score for layer in self.layers])


def probe(
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    n_classes: int,
    groups: np.ndarray,
    folds: Sequence[Fold],
    *,
    heads: Sequence[Any] = PROBES,
    seed: int = 0,
    progress: Progress | None = None,
) -> Probed:
    """Probe every layer of a network.

    Args:
        features: layer -> rows (n, d), in the order in which the layers run.
        y: class codes (n,).
        n_classes: how many classes there are.
        groups: (n,), equal for equal items; folds must keep them whole.
        folds: from `icecore.evaluation.folds`, repeats one after another.
        heads: the probes, by name or as objects.
        seed: of the heads.
        progress: called with (done, total, label).

    Example:
        >>> from icecore.evaluation import folds
        >>> y = np.arange(60) % 2
        >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
        >>> found = probe({"a": X + 3 * y[:, None], "last": X}, y, 2, np.arange(60), folds(y))
        >>> found.best.layer, found.accuracy.low > 0.9
        ('a', True)
    """
    repeats = _repeats(folds, len(y))
    probes = _Probes(features, y, n_classes, groups, repeats, heads, seed)
    layers = layers_of(features)
    tried = list[_Tried]()
    for done, layer in enumerate(layers):
        if progress:
            progress(done, len(layers), layer_name(layer))
        tried.append(probes.on(layer))
    hits = np.concatenate([one.hits for one in tried], axis=1)
    candidates = [candidate for one in tried for candidate in one.candidates]
    right = probes.crossed(hits)
    return Probed(
        accuracy=probes.share(right),
        knn=probes.share(probes.crossed(np.concatenate([one.knn for one in tried], axis=1))),
        centroid=probes.share(probes.crossed(np.concatenate([one.centroid for one in tried], axis=1))),
        right=right,
        best=candidates[_best(hits)],
        layers=tuple(one.score for one in tried),
    )


def crossed(hits: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How often each row is right by the candidate that does best on the rows of all folds but its own.

    Args:
        hits: (repeats, candidates, n), whether each was right; of equally good candidates the first counts.
        parts: (repeats, n), which fold tests a row.

    Returns:
        (n,) from 0 to 1: the mean over repeats.

    Example:
        >>> crossed(np.array([[[1, 1, 0, 0], [0, 0, 1, 1]]]), np.array([[0, 0, 1, 1]])).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    right = np.zeros(parts.shape)
    mean = hits.mean(axis=0)
    for repeat, part in enumerate(parts):
        for fold in np.unique(part):
            own = part == fold
            others = mean[:, ~own] if not own.all() else mean
            right[repeat, own] = hits[repeat, int(others.mean(axis=1).argmax()), own]
    return np.asarray(right.mean(axis=0))


def _repeats(folds: Sequence[Fold], n: int) -> list[Sequence[Fold]]:
    """The folds of each repeat: a repeat ends where a row would be tested again."""
    repeats: list[list[Fold]] = [[]]
    tested = np.zeros(n, bool)
    for fold in folds:
        if tested[fold[1]].any():
            repeats.append([])
            tested[:] = False
        tested[fold[1]] = True
        repeats[-1].append(fold)
    return list(repeats)


def _best(hits: np.ndarray) -> int:
    """The candidate that is right most often."""
    return int(hits.mean(axis=(0, 2)).argmax())


def _highest(found: Sequence[Estimate | None]) -> Estimate | None:
    return max((one for one in found if one is not None), key=lambda one: one.value, default=None)


@dataclass(frozen=True, eq=False)
class _Tried:
    """A layer, its candidates, and hits (repeats, candidates, tested rows): of these, of k-NN, of the centroid."""

    score: LayerScore
    candidates: list[Candidate]
    hits: np.ndarray
    knn: np.ndarray
    centroid: np.ndarray


@dataclass(frozen=True, eq=False)
class _Probes:
    """All that is the same for every layer."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    n_classes: int
    groups: np.ndarray
    repeats: Sequence[Sequence[Fold]]
    heads: Sequence[Any]
    seed: int

    def on(self, layer: Layer) -> _Tried:
        """All probes on one layer."""
        X = features_of(self.features, layer)
        shown_too = [name for name in _SHOWN_TOO if name not in map(head_name, self.heads)]
        tries = [(head, penalties(head)) for head in (*self.heads, *shown_too)]
        hits = self._hits(X, tries)
        meant = tries[: len(self.heads)]
        candidates = [Candidate(layer, head, penalty) for head, grid in meant for penalty in grid]
        together = np.concatenate(hits[: len(meant)], axis=1)
        by_name = {head_name(head): own for (head, _), own in zip(tries, hits, strict=True)}
        score = self._score(layer, X, candidates[_best(together)], together, by_name)
        return _Tried(score, candidates, together, by_name["knn"], by_name["centroid"])

    @cached_property
    def tested(self) -> np.ndarray:
        """(n,) whether a fold tests the row; the same in every repeat."""
        rows = np.concatenate([test for _, test in self.repeats[0]])
        return np.isin(np.arange(len(self.y)), rows)

    def crossed(self, hits: np.ndarray) -> np.ndarray:
        """See `crossed`."""
        parts = np.zeros((len(self.repeats), len(self.y)), np.intp)
        for part, folds in zip(parts, self.repeats, strict=True):
            for number, (_, test) in enumerate(folds):
                part[test] = number
        return crossed(hits, parts[:, self.tested])

    def share(self, right: np.ndarray) -> Estimate:
        """How many are right, with the interval."""
        return share_right(right, self.groups[self.tested])

    def _hits(self, X: np.ndarray, tries: Sequence[tuple[Any, Sequence[float | None]]]) -> list[np.ndarray]:
        """For each head (repeats, penalties, tested rows), whether it was right."""
        found = [sweep_all(tries, X, self.y, self.n_classes, folds, seed=self.seed) for folds in self.repeats]
        y = self.y[self.tested]
        return [
            np.stack([one[:, self.tested].argmax(axis=2) == y for one in values]) for values in zip(*found, strict=True)
        ]

    def _score(
        self, layer: Layer, X: np.ndarray, best: Candidate, hits: np.ndarray, by_name: Mapping[str, np.ndarray]
    ) -> LayerScore:
        alone = isinstance(layer, str)
        return LayerScore(
            layer=layer,
            head=best,
            accuracy=self.share(self.crossed(hits)),
            knn=self.share(self.crossed(by_name["knn"])),
            centroid=self.share(self.crossed(by_name["centroid"])),
            logme=logme(X, self.y, self.n_classes, groups=self.groups) if alone else None,
            h_score=h_score(X, self.y, self.n_classes, groups=self.groups) if alone else None,
        )
