"""The student of sounds."""

from __future__ import annotations

from torch import Tensor

from icecore.backbones.audio_s import AudioS
from pretraining.student import Answers, Student


class SoundStudent(Student):
    """An `AudioS`."""

    network: AudioS

    def __init__(self, answers: Answers) -> None:
        super().__init__(AudioS(), answers)

    def inputs(self, views: Tensor) -> Tensor:
        """float16 (n, frames, mels) -> (n, 1, frames, mels), standard."""
        return self.network.standard(views.float())
