"""The scores by which the literature compares networks, to be shown beside what probes say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icecore.evaluation import h_score, logme
from icecore.selection.candidates import features_of
from icecore.selection.crossing import Crossing
from icecore.selection.probing import Probed, probe
from icecore.tasks import Task, as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation import Estimate, Fold
    from icecore.selection.candidates import Layer
    from icecore.tasks.base import ClassWeight

_OF_CLASSES = ("classification", "ordinal")
_HEADS = ("centroid", "knn")


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one layer, or of several side by side, or the best of any layer.

    Attributes:
        knn: cross-validated, of k nearest neighbours; k is chosen without the rows that score it, and so is the layer.
        centroid: likewise of the nearest class mean; None for a task without classes.
        logme: see `icecore.evaluation.logme`; None for several layers side by side.
        h_score: see `icecore.evaluation.h_score`; likewise, and for a task that is not about one class a row.
    """

    knn: Estimate
    centroid: Estimate | None
    logme: Estimate | None
    h_score: Estimate | None


@dataclass(frozen=True, slots=True)
class TransferScores:
    """Of a network: `best` of any layer, and of every layer in the order of `Probed.layers`."""

    best: Scores
    layers: tuple[Scores, ...]


def transfer_scores(
    features: Mapping[str, np.ndarray],
    y: np.ndarray,
    task: Task | int,
    groups: np.ndarray,
    folds: Sequence[Fold],
    *,
    known: Probed | None = None,
    class_weight: ClassWeight = None,
    seed: int = 0,
) -> TransferScores:
    """Nearest neighbours, nearest centroid, LogME and H-score of every layer of a network; the arguments of `probe`.

    What `known`, its answer to the same arguments, has of neighbours and centroids is not computed again.

    Example:
        >>> from icecore.evaluation import folds
        >>> y = np.arange(60) % 2
        >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
        >>> found = transfer_scores({"a": X + 3 * y[:, None], "last": X}, y, 2, np.arange(60), folds(y))
        >>> found.best.knn.low > 0.9, found.best.logme == found.layers[0].logme
        (True, True)
    """
    crossing = Crossing(y, as_task(task), groups, folds, class_weight, seed)
    names = [name for name in _HEADS if name in crossing.task.auto]
    if known is None or not set(names) <= set(known.by_head):
        known = probe(features, y, task, groups, folds, heads=names, class_weight=class_weight, seed=seed)
    every = [
        _scores(one.by_head, *_closed_form(crossing, one.layer, features_of(features, one.layer)))
        for one in known.layers
    ]
    best = (_highest([one.logme for one in every]), _highest([one.h_score for one in every]))
    return TransferScores(_scores(known.by_head, *best), tuple(every))


def _scores(by_head: Mapping[str, Estimate], of_logme: Estimate | None, of_h_score: Estimate | None) -> Scores:
    return Scores(by_head["knn"], by_head.get("centroid"), of_logme, of_h_score)


def _closed_form(crossing: Crossing, layer: Layer, X: np.ndarray) -> tuple[Estimate | None, Estimate | None]:
    """LogME and H-score. Numbers are in units of their spread, from their mean, for there is no intercept."""
    y, task, groups = crossing.y, crossing.task, crossing.groups
    if not isinstance(layer, str):
        return None, None
    if task.name not in _OF_CLASSES:
        varied = (y - y.mean(axis=0)) / np.where(y.std(axis=0) > 0, y.std(axis=0), np.inf)
        wanted = varied.reshape(len(y), -1)
        wanted = wanted[:, wanted.any(axis=0)]
        return (logme(X, wanted, groups=groups) if wanted.size else None), None
    if len(np.unique(y)) < 2:
        return None, None
    k = len(task.classes)
    return logme(X, y, k, groups=groups), h_score(X, y, k, groups=groups)


def _highest(found: Sequence[Estimate | None]) -> Estimate | None:
    return max((one for one in found if one is not None), key=lambda one: one.value, default=None)
