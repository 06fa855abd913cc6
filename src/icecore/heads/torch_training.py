"""Train layers on features held in memory: AdamW, a cosine schedule, the best epoch on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from icecore.heads.inner_folds import assignment, parts_by_size
from icecore.heads.refinement import Best, Judge, of_classes, of_numbers
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Softmax, Standardise
from icecore.heads.trained import Trained, require_logits, require_value
from icecore.heads.weighting import ClassWeight, class_weights


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Args:
        epochs: passes over the rows, at most.
        least_steps: more passes are made over few rows, so that there are about so many steps.
        looks: how many times, at most, the held-out rows are looked at.
        learning_rate: of AdamW at the start (Loshchilov and Hutter 2019); it falls to zero along a cosine.
        weight_decay: of AdamW, decoupled.
        label_smoothing: the part of each target that is spread over all classes.
        batch_size: rows a step.
        patience: looks without a better held-out loss after which training stops.
        held_out: one in so many rows is held out to find the best epoch and the temperature.
    """

    epochs: int = 40
    least_steps: int = 1000
    looks: int = 40
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.1
    batch_size: int = 64
    patience: int = 10
    held_out: int = 8


NUMBERS = Schedule(least_steps=2000, learning_rate=3e-3)  # further to go than to a boundary between classes


def fitted_steps(
    make: Callable[[], nn.Module],
    X: np.ndarray,
    codes: np.ndarray,
    k: int,
    *,
    class_weight: ClassWeight,
    seed: int,
    schedule: Schedule | None = None,
) -> tuple[Standardise, Trained, Softmax]:
    """Make layers (n, d) -> logits (n, k), train them on standardised rows, and return the steps to probabilities.

    The same seed gives the same weights on one machine with as many threads; the caller's random state stays as it was.
    Raises HeadError where the layers do not take d features or do not give k logits.
    """
    scale, weights = standardisation(X, length=X.shape[1] ** 0.5), _weights(codes, k, class_weight)
    Z, schedule = scale(X).astype(np.float32), schedule or Schedule()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        require_logits(module, Z, k)
        loss = nn.CrossEntropyLoss(torch.from_numpy(weights), label_smoothing=schedule.label_smoothing)
        training = _Training(module, Z, codes, loss, schedule)
        held = assignment(Z, codes, schedule.held_out, seed) == 0
        temperature = training.run(held, of_classes(codes[held], weights))
    return scale, Trained(module), Softmax(temperature)


def fitted_numbers(
    make: Callable[[], nn.Module], X: np.ndarray, y: np.ndarray, *, seed: int, schedule: Schedule | None = None
) -> tuple[Standardise, Trained]:
    """The same for numbers y (n,) of mean zero and spread one: layers (n, d) -> values (n, 1), least squared error."""
    scale, schedule = standardisation(X, length=X.shape[1] ** 0.5), schedule or NUMBERS
    Z, targets = scale(X).astype(np.float32), y.astype(np.float32)[:, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        require_value(module, Z)
        held = assignment(Z, parts_by_size(y), schedule.held_out, seed) == 0
        _Training(module, Z, targets, nn.MSELoss(), schedule).run(held, of_numbers(y[held]))
    return scale, Trained(module)


def _weights(codes: np.ndarray, k: int, class_weight: ClassWeight) -> np.ndarray:
    """A weight for each class (k,), float32; one that is not there weighs nothing."""
    present, index = np.unique(codes, return_inverse=True)
    weights = np.zeros(k, dtype=np.float32)
    weights[present] = class_weights(index, len(present), class_weight)
    return weights


@dataclass(frozen=True, eq=False)
class _Training:
    """A module in training on standardised rows Z (n, d) and what they should give: class codes (n,), values (n, 1)."""

    module: nn.Module
    Z: np.ndarray
    targets: np.ndarray
    loss: nn.Module
    schedule: Schedule

    def run(self, held: np.ndarray, judge: Judge) -> float:
        """Train on the rows that are not held out, keep the best epoch, and return its temperature."""
        best = Best(self.module, self.Z[held], judge)
        rows, targets = torch.from_numpy(self.Z[~held]), torch.from_numpy(self.targets[~held])
        # Batches of equal size, so that none is a single row, which batch norm cannot take.
        batches = max(1, round(len(rows) / self.schedule.batch_size))
        epochs = max(self.schedule.epochs, self.schedule.least_steps // batches)
        step = self._stepper(epochs * batches)
        for epoch in range(1, epochs + 1):
            self.module.train()
            for batch in torch.randperm(len(rows)).tensor_split(batches):
                step(rows[batch], targets[batch])
            if epoch % -(-epochs // self.schedule.looks) == 0 and best.age() > self.schedule.patience:
                break
        return best.restore()

    def _stepper(self, steps: int) -> Callable[[torch.Tensor, torch.Tensor], None]:
        plan = self.schedule
        optimiser = torch.optim.AdamW(self.module.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)

        def step(rows: torch.Tensor, targets: torch.Tensor) -> None:
            optimiser.zero_grad()
            self.loss(self.module(rows), targets).backward()
            optimiser.step()
            rate.step()

        return step
