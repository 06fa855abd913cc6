"""The student of pictures."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from icecore.backbones.vision_s import MEAN, STD, VisionS
from pretraining.student import Answers, Student
from pretraining.vision.teacher import MAPS


class PictureStudent(Student):
    """A `VisionS` that sees half of its pictures mirrored."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(VisionS(), answers)

    def inputs(self, views: Tensor) -> Tensor:
        """uint8 (n, 3, h, w) -> normalised."""
        return (views.float() / 255 - MEAN) / STD

    def varied(self, inputs: Tensor, answers: Answers, rng: np.random.Generator) -> tuple[Tensor, Answers]:
        """Half of the steps see mirror images."""
        if rng.random() < 0.5:
            return inputs, answers
        return inputs.flip(3), {name: answer.flip(3) if name in MAPS else answer for name, answer in answers.items()}
