"""The student of pictures: `VisionS`, and linear predictors from its pooled features and its last two stages."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from icecore.backbones.vision_s import MEAN, STD, VisionS
from pretraining.training import Answers, Student
from pretraining.vision.teacher import MAPS


class PictureStudent(Student):
    """Foretells the teacher's pooled features and its maps."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.network: VisionS = VisionS()
        self.pooled = nn.Linear(self.network.features, answers["pooled"].shape[1])
        self.late = nn.Conv2d(self.network.widths[-1], answers["late"].shape[1], 1)
        self.middle = nn.Conv2d(self.network.widths[-2], answers["middle"].shape[1], 1)

    def inputs(self, views: Tensor) -> Tensor:
        """uint8 (n, 3, h, w) -> normalised."""
        return (views.float() / 255 - MEAN) / STD

    def varied(self, inputs: Tensor, answers: Answers, rng: np.random.Generator) -> tuple[Tensor, Answers]:
        """Half of the steps see mirror images."""
        if rng.random() < 0.5:
            return inputs, answers
        return inputs.flip(3), {name: answer.flip(3) if name in MAPS else answer for name, answer in answers.items()}

    def forward(self, inputs: Tensor) -> Answers:
        """(n, 3, h, w) -> what the teacher is thought to say."""
        x = self.network.stem(inputs)
        maps = []
        for stage in self.network.stages:
            x = stage(x)
            maps.append(x)
        return {
            "pooled": self.pooled(self.network.pooled(x)),
            "late": self.late(maps[-1]),
            "middle": self.middle(maps[-2]),
        }
