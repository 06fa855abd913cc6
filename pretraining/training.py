"""A student learns to foretell what a frozen teacher said of each view. Resumable.

Loss: each of the teacher's answers, made standard by dimension, is regressed (mean squared error) from places of the
student by linear predictors that are thrown away afterwards. Feature distillation: Romero et al. 2015, *FitNets*
(https://arxiv.org/abs/1412.6550); from few source images: Asano & Saeed 2023, *The Augmented Image Prior*
(https://arxiv.org/abs/2112.00725).
"""

from __future__ import annotations

import copy
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from pretraining.chunks import VIEWS, read
from pretraining.student import Answers, Student

AVERAGE = 0.998  # of the weights that are kept, a step
FARTHEST = 6.0  # standard deviations of a target
WARM_UP = 500  # steps


@dataclass(frozen=True)
class Recipe:
    """Everything that training depends on beside the chunks.

    Attributes:
        samples: views seen in all.
        batch: views a step.
        rate: highest learning rate of AdamW; it warms up, then falls as a cosine to nothing.
        decay: weight decay of matrices and kernels.
        weights: of the parts of the loss.
        seed: of the first weights, the order and the mirroring.
    """

    samples: int
    batch: int = 256
    rate: float = 2e-3
    decay: float = 0.05
    weights: tuple[tuple[str, float], ...] = (("pooled", 1.0), ("late", 0.5), ("middle", 0.5))
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.samples // self.batch


class Training:
    """One run: its state, its steps, its log.

    Args:
        chunks: folders of `pretraining.chunks`.
        folder: for `state.pt` and `log.jsonl`.
        recipe: the rest.
        student: makes one for answers such as those of the first chunk.
    """

    def __init__(self, chunks: list[Path], folder: Path, recipe: Recipe, student: Callable[[Answers], Student]) -> None:
        self.chunks, self.folder, self.recipe = chunks, folder, recipe
        first = read(chunks[0])
        del first[VIEWS]
        self.scales = {name: _scale(answer) for name, answer in first.items()}
        torch.manual_seed(recipe.seed)
        self.student = student(first).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.student.network)
        kernels = [p for p in self.student.parameters() if p.ndim > 1]
        others = [p for p in self.student.parameters() if p.ndim <= 1]
        groups = [{"params": kernels, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
        self.step, self.seconds = 0, 0.0
        self._losses: dict[str, float] = {}

    def export(self, file: Path, about: dict[str, Any]) -> None:
        """The averaged weights as float16 safetensors; beside them `figures.json`, what was done and for how long."""
        state = {
            name: value.half().contiguous()
            for name, value in self.average.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        save_file(state, file, metadata={"format": "pt", "licence": "MIT"})
        figures = {
            "parameters": sum(p.numel() for p in self.average.parameters()),
            **about,
            "samples": self.step * self.recipe.batch,
            "training_seconds": round(self.seconds),
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        (file.parent / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(figures))

    def run(self, every: float) -> None:
        """Go on to the last step; keep the state and log each `every` seconds."""
        self._resume()
        begin = saved = time.monotonic()
        already = self.seconds
        while self.step < self.recipe.steps:
            views, answers = self._chunk()
            order = np.random.default_rng([self.recipe.seed, 1, self._ordinal]).permutation(len(views))
            done = self.step % self._per_chunk
            for part in np.split(order[: self._per_chunk * self.recipe.batch], self._per_chunk)[done:]:
                if self.step == self.recipe.steps:
                    break
                rows = torch.from_numpy(np.sort(part))
                self._learn(views[rows], {name: answer[rows] for name, answer in answers.items()})
                self.step += 1
            self.seconds = already + time.monotonic() - begin  # states lie between chunks
            if time.monotonic() - saved > every or self.step >= self.recipe.steps:
                self._save()
                saved = time.monotonic()

    @property
    def _made_by(self) -> dict[str, Any]:
        return asdict(self.recipe) | {"chunks": len(self.chunks)}

    @property
    def _per_chunk(self) -> int:
        return len(np.load(self.chunks[0] / f"{VIEWS}.npy", mmap_mode="r")) // self.recipe.batch

    @property
    def _ordinal(self) -> int:
        """How many chunks were begun before this one."""
        return self.step // self._per_chunk

    def _chunk(self) -> tuple[Tensor, Answers]:
        epoch, place = divmod(self._ordinal, len(self.chunks))
        order = np.random.default_rng([self.recipe.seed, 0, epoch]).permutation(len(self.chunks))
        found = read(self.chunks[order[place]])
        return found.pop(VIEWS), found

    def _learn(self, views: Tensor, answers: Answers) -> None:
        """One step of the optimizer and of the average."""
        wanted = {name: _standard(answers[name], self.scales[name]) for name in answers}
        rng = np.random.default_rng([self.recipe.seed, 2, self.step])
        x, wanted = self.student.varied(self.student.inputs(views), wanted, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        with torch.autocast("cpu", torch.bfloat16):
            said = self.student(x.contiguous(memory_format=torch.channels_last))
        losses = {name: F.mse_loss(said[name].float(), wanted[name]) for name in wanted}
        loss = torch.stack([weight * losses[name] for name, weight in self.recipe.weights]).sum()
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError(f"The loss is {float(loss)} at step {self.step}; lower --rate.")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._note({name: float(value.detach()) for name, value in losses.items()})
        self._move_average()

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / WARM_UP)
        return self.recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))

    @torch.no_grad()
    def _move_average(self) -> None:
        share = 1 - min(AVERAGE, (1 + self.step) / (10 + self.step))
        for kept, now in zip(
            self.average.state_dict().values(), self.student.network.state_dict().values(), strict=True
        ):
            if kept.dtype.is_floating_point:
                kept.lerp_(now, share)
            else:
                kept.copy_(now)

    def _note(self, losses: dict[str, float]) -> None:
        self._losses = {name: 0.99 * self._losses.get(name, loss) + 0.01 * loss for name, loss in losses.items()}

    def _save(self) -> None:
        """State to a file, whole or not at all; a line to the log and the screen."""
        state = {
            "made_by": self._made_by,
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self._losses,
        }
        unfinished = self.folder / ".state.pt"
        torch.save(state, unfinished)
        unfinished.replace(self.folder / "state.pt")
        line = {"step": self.step, "of": self.recipe.steps, "seconds": round(self.seconds), "rate": self._rate()}
        line |= {name: round(loss, 4) for name, loss in self._losses.items()}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def _resume(self) -> None:
        file = self.folder / "state.pt"
        if not file.is_file():
            return
        state: dict[str, Any] = torch.load(file, weights_only=True)
        if state["made_by"] != self._made_by:
            raise SystemExit(f"{file} was made by another recipe: {state['made_by']}. Use another --out.")
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self._losses = state["step"], state["seconds"], state["losses"]


def _scale(answers: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each dimension, over views and places."""
    others = [axis for axis in range(answers.ndim) if axis != 1]
    values = answers.float()
    return values.mean(others, keepdim=True), values.std(others, keepdim=True) + 1e-3


def _standard(answers: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
    return ((answers.float() - scale[0]) / scale[1]).clamp(-FARTHEST, FARTHEST)
