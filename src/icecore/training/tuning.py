"""One fine-tuning: from a fitted head and a frozen suffix to tuned ones."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from icecore.features import Progress, Silent
from icecore.prefix import Cutter, Suffix
from icecore.tasks import AnyHead
from icecore.training.checkpoints import Checkpoints
from icecore.training.contrastive import Contrast
from icecore.training.examples import Examples
from icecore.training.loop import Epoch, Loop, Task
from icecore.training.lora import Adapters
from icecore.training.objectives import require_layers
from icecore.training.settings import TrainingSettings
from icecore.training.sharing import Sharing
from icecore.training.tunable import Tunable

Watch = Callable[[Epoch], None]


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
    heads: Sequence[AnyHead]
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
        heads: Sequence[AnyHead],
        settings: TrainingSettings,
        *,
        pooling: str = "mean",
        sharing: Sharing | None = None,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.cutter, self.stages, self.task = cutter, list(stages), task
        self.heads, self.settings, self.pooling = heads, settings, pooling
        self.sharing, self._checkpoints, self.progress = sharing or Sharing(), checkpoints, progress or Silent()
        self._parts = [_trained(stage.suffix, settings) for stage in stages]
        self._initial = [part.state() for part in self._parts]
        self._frozen: np.ndarray | None = None
        self._loop: Loop | None = None
        self._objectives = self.task.objectives
        self.seconds = {"prefix": 0.0, "suffix": 0.0, "evaluation": 0.0}

    def under(self, settings: TrainingSettings, checkpoints: Checkpoints | None) -> Tuner:
        """The same under other settings: network, boundaries and frozen features are shared. `lora` has to stay."""
        other = copy.copy(self)
        seconds = dict.fromkeys(self.seconds, 0.0)
        vars(other).update(settings=settings, seconds=seconds, _checkpoints=checkpoints, _loop=None)
        return other

    def tune(
        self, rows: np.ndarray, held: np.ndarray, label: str = "fine-tuning", watch: Watch = lambda _: None
    ) -> Tuned:
        """Train on some rows, with others for early stopping. Raises TrainingError.

        Args:
            rows: positions of the training items, ascending.
            held: positions of those for early stopping; may be empty. Where nothing stops early,
                they are trained on too.
            label: what the training is called, one name for one choice of rows.
            watch: told of every epoch, those before an interruption too; what it raises ends the training.
        """
        if not (self.settings.epochs and self.settings.patience):
            rows, held = np.sort(np.concatenate([rows, held])), held[:0]
        phase = self._contrasted(rows, label)
        X = self._loop_at(0, []).features(rows) if phase else self.frozen(rows)
        starts = [self._start(number, X, rows) for number in range(len(self.heads))]
        layers = [layers for _, layers in starts]
        if self.settings.epochs:
            pairs = zip(self.task.objectives, starts, strict=True)
            self._objectives = [own.starting_from(head) for own, (head, _) in pairs]
        loop, log = self._loop_at(0, layers), list[Epoch]()
        for number, part in enumerate(self._parts):
            if number:
                part.load_state(self._initial[number])
                part.load_state(self._parts[number - 1].state())
                loop = self._loop_at(number, layers)
            self._run(loop, rows, held, number, label, watch=watch)
            log += [replace(epoch, number=epoch.number + len(log)) for epoch in loop.state.log]
        self._loop = loop
        kept = len(log) - loop.state.epoch + (loop.state.best_epoch if len(held) else loop.state.epoch)
        return self._tuned(self._finished(loop, [head for head, _ in starts], layers, held), phase, log, kept)

    def _contrasted(self, rows: np.ndarray, label: str) -> list[Epoch]:
        """Begin with the pretrained network, and a contrastive phase where that is asked for. Returns the phase."""
        self._parts[0].load_state(self._initial[0])
        if not self.settings.contrastive:
            return []
        contrast, name, kept = Contrast(self._loop_at(0, []), self.sharing), _file(label, "pairs"), self._checkpoints
        done = kept is not None and kept.load(name, contrast)
        if not self.sharing.told(done):
            contrast.run(rows, self.progress, label)
            if kept is not None and self.sharing.leads:
                kept.save(name, contrast)
        if self.sharing.size > 1:
            contrast.resume(self.sharing.told(contrast.checkpoint()))
        return contrast.log

    def _run(self, loop: Loop, rows: np.ndarray, held: np.ndarray, number: int, label: str, *, watch: Watch) -> None:
        name = _file(label, number)
        kept = self._checkpoints
        if kept is not None:
            kept.load(name, loop)
        if self.sharing.size > 1:
            loop.resume(self.sharing.told(loop.checkpoint()))
        for epoch in loop.state.log:
            watch(epoch)

        def note(now: Loop) -> None:
            if kept is not None and self.sharing.leads:
                kept.save(name, now)
            watch(now.state.log[-1])

        loop.run(
            rows,
            held,
            epochs=self._epochs(number),
            progress=self.progress,
            label=label,
            keep=note,
        )

    def forget(self) -> None:
        """Remove what was kept to go on from: all is done, or would come to the same again."""
        if self._checkpoints is not None and self.sharing.leads:
            self._checkpoints.clear()

    def probabilities(self, tuned: Tuned, rows: np.ndarray) -> list[np.ndarray]:
        """For each target what its task says of rows, (len(rows), width), by what was tuned last."""
        began = time.monotonic()
        assert self._loop is not None  # noqa: S101 - tune comes first
        features = self._loop.features(rows)
        self.seconds["evaluation"] += time.monotonic() - began
        return [own.task.says(head, features) for own, head in zip(self.task.objectives, tuned.heads, strict=True)]

    def frozen(self, rows: np.ndarray) -> np.ndarray:
        """What the pretrained network gives for some rows, (len(rows), d)."""
        if self._frozen is None:
            self._parts[0].load_state(self._initial[0])
            everything = np.arange(len(self.task.groups))
            self._frozen = self._loop_at(0, []).features(everything)
        found: np.ndarray = self._frozen[rows]
        return found

    def _start(self, number: int, X: np.ndarray, rows: np.ndarray) -> tuple[AnyHead, nn.Sequential]:
        """A head fitted on features (len(rows), d), and its layers: linear probing, then fine-tuning."""
        own = self.task.objectives[number]
        if not self.settings.epochs:
            return own.task.fit(copy.deepcopy(self.heads[number]), X, own.y[rows]), nn.Sequential()
        head = own.start(self.heads[number], X, rows, self.settings.class_weight)
        return head, require_layers(own.layers(head, X)).to(self.cutter.backbone.device)

    def _loop_at(self, number: int, layers: Sequence[nn.Sequential]) -> Loop:
        """Of a stage."""
        stage = self.stages[number]
        net = Tunable(
            self.cutter.backbone,
            stage.suffix,
            layers,
            pooling=self.pooling,
            train_norm=self.settings.train_norm,
            dropout=self.settings.dropout,
        )
        return Loop(net, stage.examples, self.task, self.settings, self.sharing, objectives=self._objectives)

    def _epochs(self, number: int) -> int:
        """The epochs of a stage: they are divided evenly, the last gets what is left."""
        if not self.settings.epochs:
            return 0
        each = max(1, self.settings.epochs // len(self.stages))
        last = number + 1 == len(self.stages)
        return max(1, self.settings.epochs - each * number) if last else each

    def _tuned(self, heads: Sequence[AnyHead], phase: Sequence[Epoch], log: Sequence[Epoch], kept: int) -> Tuned:
        for epoch in (*phase, *log):
            for name, spent in epoch.seconds.items():
                self.seconds[name] += spent
        part, before, after = self._parts[-1], self._initial[-1], self._parts[-1].state()
        if isinstance(part, Adapters):
            return Tuned("lora.v1", after, heads, [*phase, *log], kept, part.scale)
        changes = {name: value for name, value in after.items() if not torch.equal(value, before[name])}
        return Tuned("weights.v1", changes, heads, [*phase, *log], kept)

    def _finished(
        self, loop: Loop, heads: Sequence[AnyHead], layers: Sequence[nn.Sequential], held: np.ndarray
    ) -> list[AnyHead]:
        """The heads as their layers have become; those of no epoch are as they were fitted."""
        if not self.settings.epochs:
            return list(heads)
        outputs = loop.logits(held) if len(held) else [None] * len(heads)
        each = zip(self._objectives, heads, layers, outputs, strict=True)
        return [own.finished(head, tuned, held, out) for own, head, tuned, out in each]


def _trained(suffix: Suffix, settings: TrainingSettings) -> Suffix | Adapters:
    """What of a suffix is trained: its own weights, or adapters beside them."""
    return Adapters(suffix, settings.lora, settings.seed) if settings.lora else suffix


def _file(label: str, part: int | str) -> str:
    return f"{label} {part}".replace(" ", "-")
