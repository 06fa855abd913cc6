"""The training set: views of drawn pictures and of photographs, and what the teacher says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from pretraining.chunks import VIEWS
from pretraining.vision import formulas, views
from pretraining.vision.teacher import Teacher

BASE_SIDE = 192
TEACHER_SIDE = 160
TEACHER_BATCH = 64
STUDENT_SIDE = 96
VIEWS_OF_A_BASE = 4  # on average; half of the bases are drawn, half are cut from photographs
PASS = 256  # views made at a time


@dataclass(frozen=True)
class Pictures:
    """Chunks of `views` uint8 (n, 3, student, student), `pooled` float16 (n, 1280) and the maps of `teacher.MAPS`.

    Args:
        reference: id or folder of the teacher.
        seed: of everything.
        views: in a chunk.
        fast: the teacher in OpenVINO and bfloat16, else in torch and float32.
    """

    reference: str
    seed: int
    views: int
    fast: bool = True

    @cached_property
    def teacher(self) -> Teacher:
        """Loaded where chunks are made."""
        return Teacher(self.reference, TEACHER_SIDE, TEACHER_BATCH, fast=self.fast)

    def arrays(self, number: int) -> dict[str, NDArray[np.generic]]:
        """One chunk."""
        rng = np.random.default_rng([self.seed, number])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        bases = self._bases(rng)
        parts = []
        for start in range(0, self.views, PASS):
            large = views.take(generator, bases, min(PASS, self.views - start), TEACHER_SIDE)
            small = F.interpolate(large, size=STUDENT_SIDE, mode="bicubic", antialias=True).clamp(0, 1)
            answers = {name: answer.astype(np.float16) for name, answer in self.teacher(large).items()}
            parts.append({VIEWS: (small * 255).round().byte().numpy(), **answers})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _bases(self, rng: np.random.Generator) -> torch.Tensor:
        photographs = views.Photographs()
        half = self.views // VIEWS_OF_A_BASE // 2
        drawn = [formulas.draw(rng, BASE_SIDE, photographs) for _ in range(half)]
        cut = [np.uint8(photographs(rng, BASE_SIDE) * 255) for _ in range(half)]
        return torch.from_numpy(np.stack(drawn + cut)).permute(0, 3, 1, 2).contiguous()
