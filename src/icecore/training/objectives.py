"""What a target asks of a training: a loss on the outputs of its layers, a judgement of held-out rows, and its head."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore.errors import HeadError
from icecore.heads import MultilabelHead, Regressor
from icecore.heads.numbers import Unit
from icecore.heads.questions import QuestionHead
from icecore.heads.temperature import temperature
from icecore.heads.tuning import layers_of, with_layers
from icecore.heads.tuning_tasks import (
    answering_layers_of,
    number_layers_of,
    with_answering_layers,
    with_number_layers,
)
from icecore.heads.weighting import ClassWeight, class_weights
from icecore.tasks import AnyHead, Classification, Multilabel, Ordinal, Regression, Task

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """One target of a training. The subclasses are for the tasks.

    Attributes:
        task: what is learned.
        y: what heads learn from, of all items, (n, ...).
        weight: of its loss beside those of other targets.
    """

    task: Task
    y: np.ndarray
    weight: float = 1.0

    def start(self, head: AnyHead, X: np.ndarray, rows: np.ndarray, class_weight: ClassWeight) -> AnyHead:
        """A head like this fitted on features X (len(rows), d), or one of layers where it is none."""
        fitted = self.task.fit(copy.deepcopy(head), X, self.y[rows])
        if self.layers(fitted, X) is not None:
            return fitted
        return self.task.fit(self.task.make(self.task.fallback, class_weight=class_weight), X, self.y[rows])

    def layers(self, head: AnyHead, X: np.ndarray) -> nn.Sequential | None:
        """Its layers, from features to outputs (n, width); None where it is none."""
        raise NotImplementedError

    def starting_from(self, head: AnyHead) -> Objective:
        """The same for a training that starts from a fitted head."""
        del head
        return self

    def targets(self, index: np.ndarray, device: torch.device) -> Tensor:
        """What the outputs of some items are held against."""
        raise NotImplementedError

    def loss(self, rows: np.ndarray, smooth: float, class_weight: ClassWeight, device: torch.device) -> Loss:
        """The loss of outputs and targets for a training on these rows."""
        raise NotImplementedError

    def judged(self, outputs: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """Of outputs for held-out rows their loss, which stops the training, and their score."""
        raise NotImplementedError

    def finished(self, head: AnyHead, layers: nn.Sequential, held: np.ndarray, outputs: np.ndarray | None) -> AnyHead:
        """The head with what became of its layers; held-out rows and the outputs for them put its certainty right."""
        raise NotImplementedError


class ClassObjective(Objective):
    """One class: cross-entropy."""

    def layers(self, head: AnyHead, X: np.ndarray) -> nn.Sequential | None:
        """See `Objective.layers`: a logit a class."""
        return layers_of(cast("Any", head), X)

    def targets(self, index: np.ndarray, device: torch.device) -> Tensor:
        """See `Objective.targets`."""
        return torch.from_numpy(self.y[index].astype(np.int64)).to(device)

    def loss(self, rows: np.ndarray, smooth: float, class_weight: ClassWeight, device: torch.device) -> Loss:
        """See `Objective.loss`."""
        present, index = np.unique(self.y[rows], return_inverse=True)
        weights = np.zeros(len(self.task.classes), np.float32)
        weights[present] = class_weights(index, len(present), class_weight)
        weight = torch.from_numpy(weights).to(device)
        return lambda logits, y: F.cross_entropy(logits, y, weight, label_smoothing=smooth)

    def judged(self, outputs: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """See `Objective.judged`: log loss with its temperature put right, see `icecore.heads.refinement`; accuracy."""
        z, codes = outputs.astype(np.float64), self.y[rows]
        z = z / temperature(z, codes)
        z -= z.max(1, keepdims=True)
        likely = z[np.arange(len(z)), codes] - np.log(np.exp(z).sum(1))
        return float(-likely.mean()), float((outputs.argmax(1) == codes).mean())

    def finished(self, head: AnyHead, layers: nn.Sequential, held: np.ndarray, outputs: np.ndarray | None) -> AnyHead:
        """See `Objective.finished`."""
        warmth = 1.0 if outputs is None else temperature(outputs.astype(np.float64), self.y[held])
        return with_layers(cast("Any", head), layers, warmth)


class AnswerObjective(Objective):
    """Several labels, or steps in an order: binary cross-entropy of each question."""

    def layers(self, head: AnyHead, X: np.ndarray) -> nn.Sequential | None:
        """See `Objective.layers`: the log-odds of yes to each question."""
        return answering_layers_of(cast("QuestionHead", head), X)

    def targets(self, index: np.ndarray, device: torch.device) -> Tensor:
        """See `Objective.targets`."""
        return torch.from_numpy(self._answers(index).astype(np.float32)).to(device)

    def loss(self, rows: np.ndarray, smooth: float, class_weight: ClassWeight, device: torch.device) -> Loss:
        """See `Objective.loss`: smoothing draws answers towards one half."""
        share = self._answers(rows).mean(axis=0).clip(1 / len(rows), 1 - 1 / len(rows))
        yes, no = (0.5 / share, 0.5 / (1 - share)) if class_weight else (np.ones(len(share)), np.ones(len(share)))
        of_yes, of_no = (torch.from_numpy(own.astype(np.float32)).to(device) for own in (yes, no))

        def loss(odds: Tensor, y: Tensor) -> Tensor:
            each = F.binary_cross_entropy_with_logits(odds, y * (1 - smooth) + smooth / 2, reduction="none")
            return (each * (y * of_yes + (1 - y) * of_no)).mean()

        return loss

    def judged(self, outputs: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """See `Objective.judged`: log loss of an answer, each question's temperature put right; the task's score."""
        odds, answers = outputs.astype(np.float64), self._answers(rows)
        warm = odds / _warmth(odds, answers)
        losses = np.logaddexp(0, np.where(answers, -warm, warm))
        return float(losses.mean()), float(self.task.gains(self.y[rows], odds[None], None).mean())

    def finished(self, head: AnyHead, layers: nn.Sequential, held: np.ndarray, outputs: np.ndarray | None) -> AnyHead:
        """See `Objective.finished`: thresholds of labels are tuned on the held-out rows."""
        own = cast("QuestionHead", head)
        if outputs is None:
            return with_answering_layers(own, layers, np.ones(self._answers(held[:0]).shape[1]))
        answers, odds = self._answers(held), outputs.astype(np.float64)
        tuned = with_answering_layers(own, layers, _warmth(odds, answers))
        if isinstance(tuned, MultilabelHead):
            tuned.tune_thresholds(0.5 * (1 + np.tanh(odds / _warmth(odds, answers) / 2)), answers)
        return tuned

    def _answers(self, index: np.ndarray) -> np.ndarray:
        """(m, q), True for yes."""
        y = self.y[index]
        return np.asarray(y.astype(bool) if y.ndim == 2 else y[:, None] > np.arange(len(self.task.classes) - 1))


@dataclass(frozen=True)
class NumberObjective(Objective):
    """A number: squared error, in the unit in which its head was fitted.

    Attributes:
        unit: of that head.
    """

    unit: Unit = Unit(0.0, 1.0)  # noqa: RUF009  # nothing changes it

    def layers(self, head: AnyHead, X: np.ndarray) -> nn.Sequential | None:
        """See `Objective.layers`: one value."""
        return number_layers_of(cast("Regressor", head), X)

    def starting_from(self, head: AnyHead) -> Objective:
        """See `Objective.starting_from`: in the unit of that head."""
        back = cast("Any", head).steps_[-1]
        return replace(self, unit=Unit(float(back.bias[0]), float(back.weight[0, 0])))

    def targets(self, index: np.ndarray, device: torch.device) -> Tensor:
        """See `Objective.targets`."""
        return torch.from_numpy(self.unit.to(self.y[index]).astype(np.float32)[:, None]).to(device)

    def loss(self, rows: np.ndarray, smooth: float, class_weight: ClassWeight, device: torch.device) -> Loss:
        """See `Objective.loss`. There are no classes to smooth or to weigh."""
        del rows, smooth, class_weight, device
        return F.mse_loss

    def judged(self, outputs: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """See `Objective.judged`: squared error, and R2."""
        y = self.unit.to(self.y[rows])
        values = outputs[:, 0].astype(np.float64)
        return float(np.square(values - y).mean()), float(self.task.gains(y, values[None], None).mean())

    def finished(self, head: AnyHead, layers: nn.Sequential, held: np.ndarray, outputs: np.ndarray | None) -> AnyHead:
        """See `Objective.finished`."""
        del held, outputs
        return with_number_layers(cast("Regressor", head), layers)


def objectives_for(tasks: Sequence[Task], ys: Sequence[np.ndarray], weights: Sequence[float]) -> list[Objective]:
    """One for each target."""
    return [_KINDS[type(task)](task, y, weight) for task, y, weight in zip(tasks, ys, weights, strict=True)]


_KINDS: dict[type[Task], type[Objective]] = {
    Classification: ClassObjective,
    Multilabel: AnswerObjective,
    Ordinal: AnswerObjective,
    Regression: NumberObjective,
}


def require_layers(layers: nn.Sequential | None) -> nn.Sequential:
    """Raise HeadError where even the simplest head is no layers: there is nothing to tell apart."""
    if layers is None:
        raise HeadError("The training rows are all of one class.", do="Give labelled items of two classes or more.")
    return layers


def _warmth(odds: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The temperature of each question's log-odds (n, q); 1 where all rows say the same."""
    pairs = zip(odds.T, answers.T, strict=True)
    return np.array(
        [
            temperature(np.stack([-z, z], axis=1) / 2, own.astype(np.int64)) if 0 < own.sum() < len(own) else 1.0
            for z, own in pairs
        ]
    )
