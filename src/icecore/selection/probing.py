"""How well each layer of a network suits the labels, by a quick probe: for comparing networks, not for the final model.

Every probe, with every penalty, predicts every row from folds that did not train on it. What is best is then chosen for
each fold from the rows of the other folds, and scored on its own (`crossing`). With few rows the choice is a matter of
luck, so the folds are drawn several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.selection.candidates import Candidate, features_of, layer_name, layers_of
from icecore.selection.crossing import Crossing
from icecore.tasks import Task, as_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icecore.evaluation import Estimate, Fold, Progress
    from icecore.selection.candidates import Layer
    from icecore.tasks.base import ClassWeight, Tries

# These order networks as well as the best of ridge, LDA, k-NN and centroid do (docs/decisions/0014), in much less time.
PROBES = ("centroid", "ridge", "knn")


def probes_for(task: Task) -> tuple[str, ...]:
    """The quick heads that there are for a task.

    Example:
        >>> from icecore.tasks import Regression
        >>> probes_for(Regression())
        ('ridge', 'knn')
    """
    return tuple(name for name in PROBES if name in task.auto)


@dataclass(frozen=True, slots=True)
class LayerScore:
    """What probes say of one layer, or of several side by side.

    Attributes:
        layer: which.
        head: the probe that did best on all rows, with its penalty.
        score: of the best probe, chosen without the rows that score it.
        by_head: the same of each probe that has a name, by it.
    """

    layer: Layer
    head: Candidate
    score: Estimate
    by_head: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Probed:
    """What probes say of a network.

    Attributes:
        score: of the best probe on the best layer, both chosen without the rows that score them.
        gains: (rows that are tested,) what each adds to the score: of classes whether it is right, averaged over
            repeats.
        best: layer, head and penalty that did best on all rows.
        layers: every layer, in the order in which they run, several side by side last.
        by_head: the score of each probe that has a name, by it, layer and penalty chosen likewise.
    """

    score: Estimate
    gains: np.ndarray
    best: Candidate
    layers: tuple[LayerScore, ...]
    by_head: Mapping[str, Estimate]


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
    crossing = Crossing(y, as_task(task), groups, folds, class_weight, seed)
    tries = [(head, crossing.task.penalties(head)) for head in heads or probes_for(crossing.task)]
    layers, every, tried = layers_of(features), list[LayerScore](), list[list[np.ndarray]]()
    for done, layer in enumerate(layers):
        if progress:
            progress(done, len(layers), layer_name(layer))
        tried.append(crossing.gains(features_of(features, layer), tries))
        best, score, by_head = _compared(crossing, [layer], tries, tried[-1:])
        every.append(LayerScore(layer, best, score, by_head))
    best, score, by_head = _compared(crossing, layers, tries, tried)
    gains = crossing.crossed(np.concatenate([own for of_layer in tried for own in of_layer], axis=1))
    return Probed(score, gains, best, tuple(every), by_head)


def _compared(
    crossing: Crossing, layers: Sequence[Layer], tries: Tries, tried: Sequence[Sequence[np.ndarray]]
) -> tuple[Candidate, Estimate, dict[str, Estimate]]:
    """The best candidate on some layers, by gains (repeats, penalties, rows) of each head on each; scores crossed."""
    together = np.concatenate([own for of_layer in tried for own in of_layer], axis=1)
    candidates = [Candidate(layer, head, penalty) for layer in layers for head, grid in tries for penalty in grid]
    best = candidates[int(together.mean(axis=(0, 2)).argmax())]
    by_head = {
        head: crossing.score(crossing.crossed(np.concatenate([of_layer[place] for of_layer in tried], axis=1)))
        for place, (head, _) in enumerate(tries)
        if isinstance(head, str)
    }
    return best, crossing.score(crossing.crossed(together)), by_head
