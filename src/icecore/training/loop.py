"""The training loop: epochs over batches, a moving average of the weights, the best epoch on held-out rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icecore.errors import TrainingError
from icecore.features import Progress
from icecore.features.progress import Task as ProgressTask
from icecore.tasks import Task as LearnedTask
from icecore.tasks import as_task
from icecore.training.batches import plain_batches, training_batches
from icecore.training.examples import Batch, Choice, Examples
from icecore.training.mixing import mixed, mixed_batch
from icecore.training.objectives import Loss, Objective, objectives_for
from icecore.training.optimiser import moving, optimiser_for, schedule
from icecore.training.precision import autocast
from icecore.training.settings import TrainingSettings
from icecore.training.sharing import Sharing
from icecore.training.tunable import Tunable, copied

_CLIP = 1.0  # of the gradient's length


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Attributes:
        codes: for each target what heads learn from, of all items, (n, ...): class codes, labels or numbers.
        classes: for each target how many classes there are; 0 of numbers.
        groups: (n,), equal for equal items.
        kinds: for each target its task; by default classes.
        weights: for each target that of its loss; by default all count the same.
    """

    codes: Sequence[np.ndarray]
    classes: Sequence[int]
    groups: np.ndarray
    kinds: Sequence[LearnedTask] = ()
    weights: Sequence[float] = ()

    @cached_property
    def objectives(self) -> list[Objective]:
        """What each target asks of a training."""
        kinds = self.kinds or [as_task(k) for k in self.classes]
        return objectives_for(kinds, self.codes, self.weights or [1.0] * len(kinds))

    @property
    def strata(self) -> np.ndarray:
        """A code for each item, (n,), that folds spread evenly: of the first target."""
        first = self.objectives[0]
        return first.task.strata(first.y)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did.

    Attributes:
        number: from 1; 0 for the contrastive phase before.
        loss: mean training loss.
        held_out_loss: on the rows for early stopping; None where there are none.
        held_out_accuracy: likewise, the mean over targets; of tasks other than classes their score.
        learning_rates: at its end, by block.
        seconds: of its training, and of looking at the held-out rows.
    """

    number: int
    loss: float
    held_out_loss: float | None
    held_out_accuracy: float | None
    learning_rates: dict[str, float]
    seconds: dict[str, float]


@dataclass
class State:
    """How far a training is; what a checkpoint holds."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    log: list[Epoch] = field(default_factory=list)


class Loop:
    """One training of one net.

    Args:
        net: what is trained.
        examples: where batches come from.
        task: what is to be learned.
        settings: how.
        sharing: with other processes.
        objectives: of the task, for heads that are fitted; by default as the task has them.
    """

    def __init__(
        self,
        net: Tunable,
        examples: Examples,
        task: Task,
        settings: TrainingSettings,
        sharing: Sharing,
        *,
        objectives: Sequence[Objective] | None = None,
    ) -> None:
        self.net, self.examples, self.settings = net, examples, settings
        self.objectives = task.objectives if objectives is None else objectives
        self.device, self._equal = net.backbone.device, net.suffix.equal_lengths
        self.optimiser, self.state = optimiser_for(net, net.backbone, settings), State()
        self._sharing = sharing
        self._losses: list[Loss] = []

    @property
    def codes(self) -> list[np.ndarray]:
        """The class codes of all items, (n,), for each target that has one class a row."""
        return [own.y for own in self.objectives if own.task.classes and own.y.ndim == 1]

    def run(
        self,
        rows: np.ndarray,
        held: np.ndarray,
        *,
        epochs: int,
        progress: Progress,
        label: str = "fine-tuning",
        keep: Callable[[Loop], None] = lambda _: None,
    ) -> None:
        """Train on some rows, look at others after every epoch, and leave the best weights in the net.

        Args:
            rows: positions of the training items.
            held: positions of the items for early stopping; may be empty, and then the last weights are kept.
            epochs: at most.
            progress: told of every epoch.
            label: what it is called there.
            keep: called after every epoch, to write a checkpoint.

        Raises TrainingError where the loss is not finite.
        """
        smooth, weight = self.settings.label_smoothing, self.settings.class_weight
        self._losses = [own.loss(rows, smooth, weight, self.device) for own in self.objectives]
        if not self.state.average:
            self.state.average = {name: value.detach().clone() for name, value in self.net.weights().items()}
        if not self.state.epoch and len(held):
            self._look(held)  # the head that it starts from may be hard to beat
        while self.state.epoch < epochs and not self._tired(held):
            with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
                self._epoch(rows, held, epochs, progress, label)
            keep(self)
        self.net.load_weights(self.state.best or self.state.average)
        self.net.eval()

    def logits(self, rows: np.ndarray) -> list[np.ndarray]:
        """For each target (len(rows), k), with the weights as they are."""
        self.net.eval()
        choices = plain_batches(rows, self.settings.batch_size, self.examples.lengths, equal=self._equal)
        with torch.no_grad(), autocast(self.settings.precision, self.device):
            parts = [[own.float().cpu().numpy() for own in self.net(b)] for b in self.examples.batches(choices)]
        place = np.argsort(np.concatenate([index for index, _ in choices]), kind="stable")
        back = place[np.argsort(np.argsort(rows, kind="stable"), kind="stable")]
        return [np.concatenate(own)[back] for own in zip(*parts, strict=True)]

    def features(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), d), float32, with the weights as they are; `rows` ascend."""
        self.net.eval()
        choices = plain_batches(rows, self.settings.batch_size, self.examples.lengths, equal=self._equal)
        with torch.no_grad():
            parts = [self.net.features(b).float().cpu().numpy() for b in self.examples.batches(choices)]
        return np.concatenate(parts)[np.argsort(np.concatenate([index for index, _ in choices]), kind="stable")]

    def checkpoint(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as plain values and tensors."""
        state = {name: value for name, value in vars(self.state).items() if name != "log"}
        return {
            "state": state | {"log": [asdict(epoch) for epoch in self.state.log]},
            "weights": copied(self.net.weights()),
            "optimiser": self.optimiser.state_dict(),
        }

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint. Raises KeyError, RuntimeError or ValueError where it does not fit."""
        own = self.net.weights()
        average = {name: value.to(own[name].device) for name, value in kept["state"]["average"].items()}
        self.optimiser.load_state_dict(kept["optimiser"])
        self.net.load_weights(kept["weights"])
        log = [Epoch(**epoch) for epoch in kept["state"]["log"]]
        self.state = State(**{**kept["state"], "log": log, "average": average})

    def _epoch(self, rows: np.ndarray, held: np.ndarray, epochs: int, progress: Progress, label: str) -> None:
        began, state, plan = time.monotonic(), self.state, self.settings
        rng = np.random.default_rng([plan.seed, state.epoch])
        torch.manual_seed(int(rng.integers(1 << 62)))
        choices = training_batches(rows, plan.batch_size, plan.views, rng, self.examples.lengths, equal=self._equal)
        steps = epochs * -(-len(choices) // plan.accumulate)
        with progress.task(f"{label}, epoch {state.epoch + 1} of {epochs}{_so_far(state.log)}", len(choices)) as task:
            losses, rates = self._pass(choices, steps, rng, task)
        trained = time.monotonic() - began
        state.epoch += 1
        loss, accuracy = self._look(held) if len(held) else (None, None)
        seconds = {"suffix": trained, "evaluation": time.monotonic() - began - trained}
        state.log.append(Epoch(state.epoch, float(np.mean(losses)), loss, accuracy, rates, seconds))

    def _pass(
        self, choices: Sequence[Choice], steps: int, rng: np.random.Generator, task: ProgressTask
    ) -> tuple[list[float], dict[str, float]]:
        """All batches once. Returns the loss of each, and the learning rates at the end."""
        plan, losses, rates = self.settings, [], dict[str, float]()
        shares = [self._sharing.share(choice) for choice in choices]
        self.net.train()
        for number, (batch, choice) in enumerate(zip(self.examples.batches(shares), shares, strict=True)):
            first = number - number % plan.accumulate
            if number == first:
                rates = schedule(self.optimiser, self.state.step, steps, plan.warmup)
            step = choices[first : first + plan.accumulate]
            part = self._sharing.weight(choices[number]) / sum(len(index) for index, _ in step)
            losses.append(self._backward(batch, choice, part, rng, number))
            if number + 1 == first + len(step):
                self._step(number)
            task.advance(1)
        return losses, rates

    def _backward(self, batch: Batch, choice: Choice, part: float, rng: np.random.Generator, number: int) -> float:
        targets = [own.targets(choice[0], self.device) for own in self.objectives]
        with autocast(self.settings.precision, self.device):
            loss = self._mixed(batch, targets, rng)
        value = float(loss.detach())
        self._require_finite("loss", value, number)
        torch.autograd.backward(loss * part)
        return value

    def _require_finite(self, what: str, value: float, number: int) -> None:
        if not np.isfinite(value):
            raise TrainingError(
                f"The {what} became {value} in batch {number + 1} of epoch {self.state.epoch + 1}, at a learning rate "
                f"of {max(group['lr'] for group in self.optimiser.param_groups):.1e}.",
                do="Try a tenth of the learning rate, --precision float32, or fewer blocks; the model it started from "
                "is as it was.",
            )

    def _step(self, number: int) -> None:
        values = [value for group in self.optimiser.param_groups for value in group["params"] if value.grad is not None]
        self._sharing.average([value.grad for value in values])
        self._require_finite("gradient", float(torch.nn.utils.clip_grad_norm_(values, _CLIP)), number)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        moving(self.state.average, self.net.weights(), self.settings.average, self.state.step)
        self.state.step += 1

    def _mixed(self, batch: Batch, targets: Sequence[Tensor], rng: np.random.Generator) -> Tensor:
        """The loss of a batch, two items mixed where that is asked for."""
        n = len(batch.items)
        if not self.settings.mixup or n < 2:
            return self._summed(self.net(batch), targets)
        share = float(rng.beta(self.settings.mixup, self.settings.mixup))
        other = torch.from_numpy(rng.permutation(n)).to(self.device)
        if self.net.mixable:
            logits = self.net(mixed_batch(batch, other, share))
        else:
            logits = self.net.logits(mixed(self.net.features(batch), other, share))
        return share * self._summed(logits, targets) + (1 - share) * self._summed(logits, [t[other] for t in targets])

    def _summed(self, logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        parts = [loss(own.float(), y) for loss, own, y in zip(self._losses, logits, targets, strict=True)]
        return torch.stack([part * share for part, share in zip(parts, self._shares, strict=True)]).sum()

    @property
    def _shares(self) -> list[float]:
        """The share of each target in the loss."""
        total = sum(own.weight for own in self.objectives)
        return [own.weight / total for own in self.objectives]

    def _look(self, held: np.ndarray) -> tuple[float, float]:
        """Loss and score of the moving average on held-out rows; the best are kept."""
        training = copied(self.net.weights())
        self.net.load_weights(self.state.average)
        found = [own.judged(out, held) for own, out in zip(self.objectives, self.logits(held), strict=True)]
        self.net.load_weights(training)
        loss, accuracy = (float(np.average(own, weights=self._shares)) for own in zip(*found, strict=True))
        if loss < self.state.best_loss:
            self.state.best_loss, self.state.best_epoch = loss, self.state.epoch
            self.state.best = copied(self.state.average)
        return loss, accuracy

    def _tired(self, held: np.ndarray) -> bool:
        patience = self.settings.patience
        return bool(len(held) and patience and self.state.epoch - self.state.best_epoch >= patience)


def _so_far(log: Sequence[Epoch]) -> str:
    if not log:
        return ""
    held = log[-1].held_out_accuracy
    return f" (loss {log[-1].loss:.3f}{'' if held is None else f', held-out accuracy {held:.3f}'})"
