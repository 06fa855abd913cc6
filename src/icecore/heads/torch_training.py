"""Train layers on features held in memory: AdamW, a cosine schedule, the best epoch on held-out rows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from icecore.heads.inner_folds import assignment
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Softmax, Standardise
from icecore.heads.trained import Trained, require_logits
from icecore.heads.weighting import ClassWeight, class_weights


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Args:
        epochs: passes over the rows, at most.
        least_steps: more passes are made over few rows, so that there are at least so many steps.
        learning_rate: of AdamW at the start (Loshchilov and Hutter 2019); it falls to zero along a cosine.
        weight_decay: of AdamW, decoupled.
        batch_size: rows a step.
        patience: the part of the epochs without a better held-out loss after which training stops.
        held_out: one in so many rows is held out to find the best epoch.
    """

    epochs: int = 40
    least_steps: int = 200
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int = 64
    patience: float = 0.25
    held_out: int = 8


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
    scale = standardisation(X, length=X.shape[1] ** 0.5)
    Z = scale(X).astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        require_logits(module, Z, k)
        _train(module, Z, codes, _loss(codes, k, class_weight), schedule or Schedule(), seed)
    return scale, Trained(module), Softmax()


def _loss(codes: np.ndarray, k: int, class_weight: ClassWeight) -> nn.Module:
    """Cross entropy; a class that is not there weighs nothing."""
    present, index = np.unique(codes, return_inverse=True)
    weights = np.zeros(k, dtype=np.float32)
    weights[present] = class_weights(index, len(present), class_weight)
    return nn.CrossEntropyLoss(weight=torch.from_numpy(weights))


def _train(module: nn.Module, Z: np.ndarray, codes: np.ndarray, loss: nn.Module, schedule: Schedule, seed: int) -> None:
    fold = assignment(Z, codes, schedule.held_out, seed)
    held, kept = np.flatnonzero(fold == 0), np.flatnonzero(fold != 0)
    rows, targets = torch.from_numpy(Z), torch.from_numpy(codes)
    best = _Best(module, loss, rows[held], targets[held])
    _epochs(module, rows[kept], targets[kept], loss, best, schedule)
    best.restore()


class _Best:
    """Remembers the weights with the lowest loss on held-out rows; where none could be held out, the last ones stay."""

    def __init__(self, module: nn.Module, loss: nn.Module, rows: torch.Tensor, targets: torch.Tensor) -> None:
        self.module, self.loss, self.rows, self.targets = module, loss, rows, targets
        self.value, self.age = float("inf"), 0
        self.weights: dict[str, torch.Tensor] | None = None

    def look(self) -> None:
        if not len(self.rows):
            return
        self.module.eval()
        with torch.inference_mode():
            value = float(self.loss(self.module(self.rows), self.targets))
        self.age += 1
        if value < self.value:
            self.value, self.age, self.weights = value, 0, copy.deepcopy(self.module.state_dict())

    def restore(self) -> None:
        if self.weights is not None:
            self.module.load_state_dict(self.weights)
        self.module.eval()


def _epochs(
    module: nn.Module, rows: torch.Tensor, targets: torch.Tensor, loss: nn.Module, best: _Best, schedule: Schedule
) -> None:
    # Batches of equal size, so that none is a single row, which batch norm cannot take.
    batches = max(1, round(len(rows) / schedule.batch_size))
    epochs = max(schedule.epochs, schedule.least_steps // batches)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, foreach=True
    )
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs * batches)
    for _ in range(epochs):
        module.train()
        for batch in torch.randperm(len(rows)).tensor_split(batches):
            optimiser.zero_grad()
            loss(module(rows[batch]), targets[batch]).backward()
            optimiser.step()
            rate.step()
        best.look()
        if best.age > schedule.patience * epochs:
            return
