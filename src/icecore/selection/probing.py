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

from icecore.evaluation import h_score, logme, paired_gain, share_right
from icecore.selection.candidates import Candidate, features_of, head_name, layer_name, layers_of
from icecore.tasks import Task, as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation import Estimate, Fold, Progress
    from icecore.selection.candidates import Layer
    from icecore.tasks.base import ClassWeight

PROBES = ("centroid", "ridge", "lda", "knn")
_SHOWN_TOO = ("centroid", "knn")
_OF_CLASSES = ("classification", "ordinal")


def probes_for(task: Task) -> tuple[str, ...]:
    """The quick heads that there are for a task.

    Example:
        >>> from icecore.tasks import Regression
        >>> probes_for(Regression())
        ('ridge', 'knn')
    """
    return tuple(name for name in PROBES if name in task.auto)


def are_shares(task: Task, class_weight: ClassWeight) -> bool:
    """Whether the score is a share of right answers."""
    return task.name == "classification" and class_weight is None


@dataclass(frozen=True, slots=True)
class LayerScore:
    """What probes and scores say of one layer, or of several side by side.

    Attributes:
        layer: which.
        head: the probe that did best on all rows, with its penalty.
        score: of the best probe, chosen without the rows that score it.
        knn: of k nearest neighbours, k chosen likewise.
        centroid: of the nearest class mean; None for a task without classes.
        logme: see `icecore.evaluation.logme`; None for several layers side by side.
        h_score: see `icecore.evaluation.h_score`; likewise, and for a task that is not about one class a row.
    """

    layer: Layer
    head: Candidate
    score: Estimate
    knn: Estimate
    centroid: Estimate | None
    logme: Estimate | None
    h_score: Estimate | None


@dataclass(frozen=True, slots=True)
class Probed:
    """What probes say of a network.

    Attributes:
        score: of the best probe on the best layer, both chosen without the rows that score them.
        knn: of k nearest neighbours, k and layer chosen likewise.
        centroid: of the nearest class mean, the layer chosen likewise; None for a task without classes.
        gains: (rows that are tested,) what each adds to the score: of classes whether it is right, averaged over
            repeats.
        best: layer, head and penalty that did best on all rows.
        layers: every layer, in the order in which they run, several side by side last.
    """

    score: Estimate
    knn: Estimate
    centroid: Estimate | None
    gains: np.ndarray
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
    task: Task | int,
    groups: np.ndarray,
    folds: Sequence[Fold],
    *,
    heads: Sequence[Any] | None = None,
    class_weight: ClassWeight = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Probed:
    """Probe every layer of a network.

    Args:
        features: layer -> rows (n, d), in the order in which the layers run.
        y: what heads learn from, (n, ...): class codes, for instance.
        task: what is learned; a number stands for so many classes.
        groups: (n,), equal for equal items; folds must keep them whole.
        folds: from `icecore.evaluation.folds`, repeats one after another.
        heads: the probes, by name or as objects; by default those of `probes_for`.
        class_weight: as the heads take it; with `balanced`, balanced accuracy is the score.
        seed: of the heads.
        progress: called with (done, total, label).

    Example:
        >>> from icecore.evaluation import folds
        >>> y = np.arange(60) % 2
        >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
        >>> found = probe({"a": X + 3 * y[:, None], "last": X}, y, 2, np.arange(60), folds(y))
        >>> found.best.layer, found.score.low > 0.9
        ('a', True)
    """
    task = as_task(task)
    probes = _Probes(features, y, task, groups, _repeats(folds, len(y)), heads or probes_for(task), class_weight, seed)
    layers = layers_of(features)
    tried = list[_Tried]()
    for done, layer in enumerate(layers):
        if progress:
            progress(done, len(layers), layer_name(layer))
        tried.append(probes.on(layer))
    gains = np.concatenate([one.gains for one in tried], axis=1)
    candidates = [candidate for one in tried for candidate in one.candidates]
    chosen = probes.crossed(gains)
    shown = {name: [one.shown[name] for one in tried] for name in tried[0].shown}
    by_name = {name: probes.score(probes.crossed(np.concatenate(own, axis=1))) for name, own in shown.items()}
    return Probed(
        score=probes.score(chosen),
        knn=by_name["knn"],
        centroid=by_name.get("centroid"),
        gains=chosen,
        best=candidates[_best(gains)],
        layers=tuple(one.score for one in tried),
    )


def crossed(gains: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """What each row adds to the score by the candidate that does best on the rows of all folds but its own.

    Args:
        gains: (repeats, candidates, n), whether each was right; of equally good candidates the first counts.
        parts: (repeats, n), which fold tests a row.

    Returns:
        (n,): the mean over repeats.

    Example:
        >>> crossed(np.array([[[1, 1, 0, 0], [0, 0, 1, 1]]]), np.array([[0, 0, 1, 1]])).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    chosen = np.zeros(parts.shape)
    mean = gains.mean(axis=0)
    for repeat, part in enumerate(parts):
        for fold in np.unique(part):
            own = part == fold
            others = mean[:, ~own] if not own.all() else mean
            chosen[repeat, own] = gains[repeat, int(others.mean(axis=1).argmax()), own]
    return np.asarray(chosen.mean(axis=0))


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


def _best(gains: np.ndarray) -> int:
    """The candidate with the highest score."""
    return int(gains.mean(axis=(0, 2)).argmax())


def _highest(found: Sequence[Estimate | None]) -> Estimate | None:
    return max((one for one in found if one is not None), key=lambda one: one.value, default=None)


@dataclass(frozen=True, eq=False)
class _Tried:
    """A layer, its candidates, and gains (repeats, candidates, tested rows): of these, and of heads that are shown."""

    score: LayerScore
    candidates: list[Candidate]
    gains: np.ndarray
    shown: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Probes:
    """All that is the same for every layer."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    task: Task
    groups: np.ndarray
    repeats: Sequence[Sequence[Fold]]
    heads: Sequence[Any]
    class_weight: ClassWeight
    seed: int

    def on(self, layer: Layer) -> _Tried:
        """All probes on one layer."""
        X = features_of(self.features, layer)
        shown = [name for name in _SHOWN_TOO if name in self.task.auto]
        too = [name for name in shown if name not in map(head_name, self.heads)]
        tries = [(head, self.task.penalties(head)) for head in (*self.heads, *too)]
        gains = self._gains(X, tries)
        meant = tries[: len(self.heads)]
        candidates = [Candidate(layer, head, penalty) for head, grid in meant for penalty in grid]
        together = np.concatenate(gains[: len(meant)], axis=1)
        by_name = {
            head_name(head): own for (head, _), own in zip(tries, gains, strict=True) if head_name(head) in shown
        }
        scores = {name: self.score(self.crossed(own)) for name, own in by_name.items()}
        logme_, h_score_ = self._transferability(X) if isinstance(layer, str) else (None, None)
        score = LayerScore(
            layer=layer,
            head=candidates[_best(together)],
            score=self.score(self.crossed(together)),
            knn=scores["knn"],
            centroid=scores.get("centroid"),
            logme=logme_,
            h_score=h_score_,
        )
        return _Tried(score, candidates, together, by_name)

    @cached_property
    def tested(self) -> np.ndarray:
        """(n,) whether a fold tests the row; the same in every repeat."""
        rows = np.concatenate([test for _, test in self.repeats[0]])
        return np.isin(np.arange(len(self.y)), rows)

    def crossed(self, gains: np.ndarray) -> np.ndarray:
        """See `crossed`."""
        parts = np.zeros((len(self.repeats), len(self.y)), np.intp)
        for part, folds in zip(parts, self.repeats, strict=True):
            for number, (_, test) in enumerate(folds):
                part[test] = number
        return crossed(gains, parts[:, self.tested])

    def score(self, gains: np.ndarray) -> Estimate:
        """The mean of gains (tested rows,), with its interval."""
        groups = self.groups[self.tested]
        if are_shares(self.task, self.class_weight):
            return share_right(gains, groups)
        return paired_gain(gains, np.zeros(len(gains)), groups)

    def _gains(self, X: np.ndarray, tries: Sequence[tuple[Any, Sequence[float | None]]]) -> list[np.ndarray]:
        """For each head (repeats, penalties, tested rows)."""
        y, rows, weight = self.y[self.tested], self.tested, self.class_weight
        found = [
            self.task.sweep(tries, X, self.y, folds, class_weight=weight, seed=self.seed) for folds in self.repeats
        ]
        return [np.stack([self.task.gains(y, one[:, rows], weight) for one in own]) for own in zip(*found, strict=True)]

    def _transferability(self, X: np.ndarray) -> tuple[Estimate | None, Estimate | None]:
        """LogME and H-score. Numbers are in units of their spread, from their mean, for there is no intercept."""
        y = self.y
        if self.task.name not in _OF_CLASSES:
            varied = (y - y.mean(axis=0)) / np.where(y.std(axis=0) > 0, y.std(axis=0), np.inf)
            wanted = varied.reshape(len(y), -1)
            wanted = wanted[:, wanted.any(axis=0)]
            return (logme(X, wanted, groups=self.groups) if wanted.size else None), None
        if len(np.unique(y)) < 2:
            return None, None
        k = len(self.task.classes)
        return logme(X, y, k, groups=self.groups), h_score(X, y, k, groups=self.groups)
