"""The student of sounds: `AudioS`, and linear predictors from its pooled features and its last two stages."""

from __future__ import annotations

from torch import Tensor, nn

from icecore.backbones.audio_s import AudioS
from pretraining.training import Answers, Student


class SoundStudent(Student):
    """Foretells the teacher's pooled features and its maps."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.network: AudioS = AudioS()
        self.pooled = nn.Linear(self.network.features, answers["pooled"].shape[1])
        self.late = nn.Conv2d(self.network.widths[-1], answers["late"].shape[1], 1)
        self.middle = nn.Conv2d(self.network.widths[-2], answers["middle"].shape[1], 1)

    def inputs(self, views: Tensor) -> Tensor:
        """float16 (n, frames, mels) -> (n, 1, frames, mels), standard."""
        return self.network.standard(views.float())

    def forward(self, inputs: Tensor) -> Answers:
        """(n, 1, frames, mels) -> what the teacher is thought to say."""
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
