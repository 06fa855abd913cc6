"""One fine-tuning: from a fitted head and a frozen suffix to tuned ones."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from icecore.errors import HeadError
from icecore.features import Progress, Silent
from icecore.heads import Head, make
from icecore.heads.calibration import temperature
from icecore.heads.tuning import layers_of, with_layers
from icecore.prefix import Cutter, Suffix
from icecore.training.checkpoints import Checkpoints
from icecore.training.examples import Examples
from icecore.training.loop import Epoch, Loop, Task
from icecore.training.settings import TrainingSettings
from icecore.training.sharing import Sharing
from icecore.training.tunable import Tunable

_FALLBACK = "logistic"  # for heads that are no layers


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training above one cut.

    Attributes:
        suffix: above the cut, as the pretrained network has it.
        examples: boundaries there.
    """

    suffix: Suffix
    examples: Examples


@dataclass(frozen=True)
class Tuned:
    """What came of a training.

    Attributes:
        kind: `weights.v1`: the changes are weights and buffers that differ from the pretrained ones, by their paths in
            the network; `lora.v1`: they are low-rank matrices to be added.
        changes: by name.
        heads: for each target, on what the tuned network gives.
        log: every epoch.
        epochs: how many were kept.
        scale: factor of the product of low-rank matrices.
    """

    kind: Literal["weights.v1", "lora.v1"]
    changes: Mapping[str, Tensor]
    heads: Sequence[Head]
    log: Sequence[Epoch]
    epochs: int
    scale: float = 1.0


class Tuner:
    """Tunes one network for one task, again and again for different rows.

    Args:
        cutter: of the network.
        stages: the cuts; several for gradual unfreezing, the last blocks first.
        task: what is to be learned.
        heads: for each target the head to start from; it is fitted anew.
        pooling: of the layer `last`.
        settings: how.
        sharing: with other processes.
        checkpoints: where a training that is interrupted is kept; None to keep nothing.
        progress: told of every epoch.
    """

    def __init__(
        self,
        cutter: Cutter,
        stages: Sequence[Stage],
        task: Task,
        heads: Sequence[Head],
        settings: TrainingSettings,
        *,
        pooling: str = "mean",
        sharing: Sharing | None = None,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.cutter, self.stages, self.task = cutter, list(stages), task
        self.heads, self.settings, self.pooling = heads, settings, pooling
        self.sharing, self._checkpoints, self._progress = sharing or Sharing(), checkpoints, progress or Silent()
        self._initial = [stage.suffix.state() for stage in stages]
        self._frozen: np.ndarray | None = None
        self._loop: Loop | None = None
        self.seconds = {"prefix": 0.0, "suffix": 0.0, "evaluation": 0.0}

    def tune(self, rows: np.ndarray, held: np.ndarray, label: str = "fine-tuning") -> Tuned:
        """Train on some rows, with others for early stopping. Raises TrainingError.

        Args:
            rows: positions of the training items, ascending.
            held: positions of those for early stopping; may be empty.
            label: what the training is called, one name for one choice of rows.
        """
        starts = [self._start(number, rows) for number in range(len(self.heads))]
        layers = [layers for _, layers in starts]
        log: list[Epoch] = []
        for number, stage in enumerate(self.stages):
            stage.suffix.load_state(self._initial[number])
            if number:
                stage.suffix.load_state(self.stages[number - 1].suffix.state())
            self._loop = self._prepared(stage, layers)
            self._run(self._loop, rows, held, number, label)
            log += [replace(epoch, number=epoch.number + len(log)) for epoch in self._loop.state.log]
        return self._tuned([head for head, _ in starts], layers, held, log)

    def _run(self, loop: Loop, rows: np.ndarray, held: np.ndarray, number: int, label: str) -> None:
        name = f"{label} {number}".replace(" ", "-")
        kept = self._checkpoints
        if kept is not None:
            kept.load(name, loop)
        if self.sharing.size > 1:
            loop.resume(self.sharing.told(loop.checkpoint()))
        loop.run(
            rows,
            held,
            epochs=self._epochs(number),
            progress=self._progress,
            label=label,
            keep=lambda now: kept.save(name, now) if kept is not None and self.sharing.leads else None,
        )

    def forget(self) -> None:
        """Remove what was kept to go on from: all is done, or would come to the same again."""
        if self._checkpoints is not None and self.sharing.leads:
            self._checkpoints.clear()

    def probabilities(self, tuned: Tuned, rows: np.ndarray) -> list[np.ndarray]:
        """For each target (len(rows), k), by what was tuned last."""
        began = time.monotonic()
        assert self._loop is not None  # noqa: S101 - tune comes first
        features = self._loop.features(rows)
        self.seconds["evaluation"] += time.monotonic() - began
        return [head.predict_proba(features) for head in tuned.heads]

    def frozen(self, rows: np.ndarray) -> np.ndarray:
        """What the pretrained network gives for some rows, (len(rows), d)."""
        if self._frozen is None:
            stage = self.stages[0]
            stage.suffix.load_state(self._initial[0])
            everything = np.arange(len(self.task.groups))
            self._frozen = self._prepared(stage, []).features(everything)
        found: np.ndarray = self._frozen[rows]
        return found

    def _start(self, number: int, rows: np.ndarray) -> tuple[Head, nn.Sequential]:
        """A head fitted on what the pretrained network gives, and its layers: linear probing, then fine-tuning."""
        X, y, k = self.frozen(rows), self.task.codes[number][rows], self.task.classes[number]
        head = copy.deepcopy(self.heads[number]).fit(X, y, n_classes=k)
        layers = layers_of(head, X)
        if layers is None:
            head = make(_FALLBACK, class_weight=self.settings.class_weight).fit(X, y, n_classes=k)
            layers = layers_of(head, X)
        if layers is None:
            raise HeadError("The training rows are all of one class.", do="Give labelled items of two classes or more.")
        return head, layers.to(self.cutter.backbone.device)

    def _prepared(self, stage: Stage, layers: Sequence[nn.Sequential]) -> Loop:
        net = Tunable(
            self.cutter.backbone,
            stage.suffix,
            layers,
            pooling=self.pooling,
            train_norm=self.settings.train_norm,
            dropout=self.settings.dropout,
        )
        return Loop(net, stage.examples, self.task, self.settings, self.sharing)

    def _epochs(self, number: int) -> int:
        """The epochs of a stage: they are divided evenly, the last gets what is left."""
        each = max(1, self.settings.epochs // len(self.stages))
        last = number + 1 == len(self.stages)
        return max(1, self.settings.epochs - each * number) if last else each

    def _tuned(
        self, heads: Sequence[Head], layers: Sequence[nn.Sequential], held: np.ndarray, log: list[Epoch]
    ) -> Tuned:
        loop = self._loop
        assert loop is not None  # noqa: S101 - it has just run
        warmth = [1.0] * len(heads)
        if len(held):
            warmth = [
                temperature(z.astype(np.float64), y[held])
                for z, y in zip(loop.logits(held), self.task.codes, strict=True)
            ]
        made = [with_layers(head, own, t) for head, own, t in zip(heads, layers, warmth, strict=True)]
        before, after = self._initial[-1], self.stages[-1].suffix.state()
        changes = {name: value for name, value in after.items() if not torch.equal(value, before[name])}
        for epoch in log:
            for name, spent in epoch.seconds.items():
                self.seconds[name] += spent
        kept = loop.state.best_epoch if len(held) else loop.state.epoch
        return Tuned("weights.v1", changes, made, log, len(log) - loop.state.epoch + kept)
