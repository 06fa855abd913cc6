"""The contrastive phase: items of one class move together and others apart, before a head is fitted.

As SetFit does (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055), pairs are drawn among the labelled items, and
the head comes afterwards. What is taught is not a cosine of 1 or 0 for each pair by itself, though: the items of a step
are told from each other all at once (supervised contrastive learning, Khosla et al. 2020,
https://arxiv.org/abs/2004.11362).
On many classes the cosines cost accuracy where this does not (docs/decisions/0012).
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from icecore.errors import TrainingError
from icecore.features import Progress
from icecore.training.batches import plain_batches
from icecore.training.loop import Epoch, Loop
from icecore.training.optimiser import optimiser_for, schedule
from icecore.training.precision import autocast
from icecore.training.sharing import Sharing
from icecore.training.tunable import copied

SHARE = 1 / 15  # of the learning rate: with the default it is the 2e-5 of SetFit; adapters get all of it
_CLIP = 1.0  # of the gradient's length

_TEMPERATURE = 0.1  # of the cosines, as Khosla et al. have it


def pairs_of(codes: np.ndarray, rows: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """Draw pairs of items of one class.

    Args:
        codes: classes of all items, (n,).
        rows: positions of those to draw from.
        each: partners for an item; the only one of its class has none.
        rng: draws.

    Returns:
        Positions, (pairs, 2).

    Example:
        >>> pairs_of(np.array([0, 0, 1]), np.arange(3), 2, np.random.default_rng(0)).tolist()
        [[0, 1], [0, 1], [1, 0], [1, 0]]
    """
    found: list[tuple[int, int]] = []
    for i in rows.tolist():
        alike = rows[(codes[rows] == codes[i]) & (rows != i)]
        found += [(i, partner) for partner in (rng.choice(alike, each).tolist() if len(alike) else [])]
    return np.array(found, np.int64).reshape(-1, 2)


def supervised_contrastive(vectors: Tensor, codes: Tensor) -> Tensor:
    """How badly items are told by their vectors: the cross-entropy of finding, among all others, those of one's class.

    Args:
        vectors: (n, d).
        codes: classes, (n,). Items that are alone in their class count as others only.

    Returns:
        A scalar; 0 where no item has a partner.

    Khosla et al. 2020, equation 2, https://arxiv.org/abs/2004.11362.

    Example:
        >>> apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> alike, mixed = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
        >>> bool(supervised_contrastive(apart, alike) < supervised_contrastive(apart, mixed))
        True
    """
    unit = F.normalize(vectors, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    cosines = (unit @ unit.T / _TEMPERATURE).masked_fill(itself, -torch.inf)
    logs = cosines.log_softmax(1).masked_fill(itself, 0.0)
    partners = (codes[:, None] == codes[None]) & ~itself
    counts = partners.sum(1)
    has = counts > 0
    each = -(logs * partners).sum(1)[has] / counts[has]
    return each.mean() if len(each) else vectors.sum() * 0.0


class Contrast:
    """One contrastive phase.

    Args:
        loop: of the net that is trained. Of its settings a step takes `batch_size` items, which are half as many pairs;
            the learning rate is the same in all blocks.
        sharing: with other processes.

    Attributes:
        log: what the phase did, once it is over, as an epoch of number 0.
    """

    def __init__(self, loop: Loop, sharing: Sharing) -> None:
        self._net, self._loop, self._settings, self._sharing = loop.net, loop, loop.settings, sharing
        rate = loop.settings.learning_rate * (1 if loop.settings.lora else SHARE)
        self._optimiser = optimiser_for(
            loop.net, loop.net.backbone, replace(loop.settings, learning_rate=rate, layer_decay=1.0)
        )
        self.log: list[Epoch] = []

    def run(self, rows: np.ndarray, progress: Progress, label: str) -> None:
        """Train on some rows. Raises TrainingError where the loss is not finite."""
        began, device = time.monotonic(), self._loop.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            losses, rates = self._pass(rows, progress, label)
        seconds = {"suffix": time.monotonic() - began, "evaluation": 0.0}
        self.log = [Epoch(0, float(np.mean(losses)), None, None, rates, seconds)]

    def checkpoint(self) -> dict[str, Any]:
        """What came out, as plain values and tensors."""
        return {"weights": copied(self._net.weights()), "log": [asdict(epoch) for epoch in self.log]}

    def resume(self, kept: dict[str, Any]) -> None:
        """Take what an earlier run came to. Raises KeyError or RuntimeError where it does not fit."""
        self._net.load_weights(kept["weights"])
        self.log = [Epoch(**epoch) for epoch in kept["log"]]

    def _pass(self, rows: np.ndarray, progress: Progress, label: str) -> tuple[list[float], dict[str, float]]:
        """All pairs once. Returns the loss of each step, and the learning rates at the end."""
        plan, losses, rates = self._settings, list[float](), dict[str, float]()
        rng = np.random.default_rng([plan.seed, plan.contrastive])
        torch.manual_seed(int(rng.integers(1 << 62)))
        pairs = np.concatenate([pairs_of(codes, rows, plan.contrastive, rng) for codes in self._loop.codes])
        if not len(pairs):
            raise TrainingError("No class has two items, so no pairs can be drawn.", do="Leave contrastive out.")
        pairs = rng.permutation(pairs)
        steps = np.array_split(pairs, max(1, round(2 * len(pairs) / plan.batch_size)))
        self._net.train()
        with progress.task(f"{label}, pairs", len(steps)) as task:
            for number, step in enumerate(steps):
                rates = schedule(self._optimiser, number, len(steps), plan.warmup)
                losses.append(self._step(step, rng))
                task.advance(1)
        return losses, rates

    def _step(self, pairs: np.ndarray, rng: np.random.Generator) -> float:
        whole = (np.arange(len(pairs)), np.zeros(len(pairs), np.int64))
        mine, _ = self._sharing.share(whole)
        items = np.unique(pairs[mine])
        with autocast(self._settings.precision, self._loop.device):
            vectors = self._vectors(items, rng).float()
        codes = [torch.from_numpy(own[items].astype(np.int64)).to(vectors.device) for own in self._loop.codes]
        loss = torch.stack([supervised_contrastive(vectors, own) for own in codes]).mean()
        torch.autograd.backward(loss * (self._sharing.weight(whole) / len(whole[0])))
        values = [v for group in self._optimiser.param_groups for v in group["params"] if v.grad is not None]
        self._sharing.average([value.grad for value in values])
        length = torch.nn.utils.clip_grad_norm_(values, _CLIP)
        value = float(loss.detach())
        if not np.isfinite([value, float(length)]).all():
            raise TrainingError(
                f"The loss of pairs became {value}, its gradient {float(length)}, at a learning rate of "
                f"{max(group['lr'] for group in self._optimiser.param_groups):.1e}.",
                do="Try a tenth of the learning rate, or --precision float32; the model it started from is as it was.",
            )
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return value

    def _vectors(self, items: np.ndarray, rng: np.random.Generator) -> Tensor:
        """(len(items), d), of a view of each."""
        examples, equal = self._loop.examples, self._net.suffix.equal_lengths
        batches = [rows for rows, _ in plain_batches(items, len(items), examples.lengths, equal=equal)]
        choices = [(rows, rng.integers(self._settings.views, size=len(rows))) for rows in batches]
        vectors = torch.cat([self._net.features(batch) for batch in examples.batches(choices)])
        back = np.argsort(np.concatenate(batches))
        return vectors[torch.from_numpy(back).to(vectors.device)]
