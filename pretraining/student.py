"""The student: a residual network, and linear predictors from its pooled features and its last two stages."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from icecore.backbones.residual import Residual

Answers = dict[str, Tensor]


class Student(nn.Module):
    """What is trained: `network`, which is kept, and predictors of what the teacher says, which are not.

    Args:
        network: with random weights.
        answers: of the teacher for some views: `pooled` (n, channels), `late` and `middle` (n, channels, h, w).
    """

    def __init__(self, network: Residual, answers: Answers) -> None:
        super().__init__()
        self.network = network
        self.pooled = nn.Linear(network.features, answers["pooled"].shape[1])
        self.late = nn.Conv2d(network.widths[-1], answers["late"].shape[1], 1)
        self.middle = nn.Conv2d(network.widths[-2], answers["middle"].shape[1], 1)

    def inputs(self, views: Tensor) -> Tensor:
        """Views as they are kept -> what the stem takes, (n, channels, h, w)."""
        raise NotImplementedError

    def varied(self, inputs: Tensor, answers: Answers, rng: np.random.Generator) -> tuple[Tensor, Answers]:
        """What a step sees instead: a mirror image, say."""
        del rng
        return inputs, answers

    def forward(self, inputs: Tensor) -> Answers:
        """(n, channels, h, w) -> what the teacher is thought to say."""
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
