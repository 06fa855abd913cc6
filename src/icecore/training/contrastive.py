"""The contrastive phase: items of one class move together and others apart, before a head is fitted.

SetFit (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055): for every item some pairs are drawn among the labelled
ones, half with a partner of its class and half with another, and the cosine of the two vectors is taught to be 1 or 0.
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

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # positions of both items, and 1 where they are of one class, else 0


def pairs_of(codes: np.ndarray, rows: np.ndarray, each: int, rng: np.random.Generator) -> Pairs:
    """Draw pairs.

    Args:
        codes: classes of all items, (n,).
        rows: positions of those to draw from.
        each: pairs an item: half with a partner of its class, where there is one, and half with one of another.
        rng: draws.

    Example:
        >>> first, second, same = pairs_of(np.array([0, 0, 1]), np.arange(3), 2, np.random.default_rng(0))
        >>> same.tolist()  # the item of class 1 has no partner
        [1.0, 0.0, 1.0, 0.0, 0.0]
    """
    found: list[tuple[int, int, float]] = []
    for i in rows.tolist():
        alike = codes[rows] == codes[i]
        for pool, n, same in ((rows[alike & (rows != i)], each - each // 2, 1.0), (rows[~alike], each // 2, 0.0)):
            found += [(i, partner, same) for partner in (rng.choice(pool, n).tolist() if len(pool) else [])]
    drawn = np.array(found).reshape(-1, 3)
    return drawn[:, 0].astype(np.int64), drawn[:, 1].astype(np.int64), drawn[:, 2]


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
        drawn = [pairs_of(codes, rows, plan.contrastive, rng) for codes in self._loop.codes]
        first, second, same = (np.concatenate(part) for part in zip(*drawn, strict=True))
        order = rng.permutation(len(same))
        steps = np.array_split(order, max(1, round(2 * len(order) / plan.batch_size)))
        self._net.train()
        with progress.task(f"{label}, pairs", len(steps)) as task:
            for number, step in enumerate(steps):
                rates = schedule(self._optimiser, number, len(steps), plan.warmup)
                losses.append(self._step((first[step], second[step], same[step]), rng))
                task.advance(1)
        return losses, rates

    def _step(self, pairs: Pairs, rng: np.random.Generator) -> float:
        whole = (np.arange(len(pairs[0])), np.zeros(len(pairs[0]), np.int64))
        mine, _ = self._sharing.share(whole)
        first, second, same = (part[mine] for part in pairs)
        with autocast(self._settings.precision, self._loop.device):
            vectors = self._vectors(np.concatenate([first, second]), rng).float()
        target = torch.from_numpy(np.float32(same)).to(vectors.device)
        loss = F.mse_loss(F.cosine_similarity(vectors[: len(mine)], vectors[len(mine) :]), target)
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

    def _vectors(self, index: np.ndarray, rng: np.random.Generator) -> Tensor:
        """(len(index), d), of a view of each item; what stands there twice is computed once."""
        items, places = np.unique(index, return_inverse=True)
        examples, equal = self._loop.examples, self._net.suffix.equal_lengths
        batches = [rows for rows, _ in plain_batches(items, len(items), examples.lengths, equal=equal)]
        choices = [(rows, rng.integers(self._settings.views, size=len(rows))) for rows in batches]
        vectors = torch.cat([self._net.features(batch) for batch in examples.batches(choices)])
        back = np.argsort(np.concatenate(batches))[places]
        return vectors[torch.from_numpy(back).to(vectors.device)]
