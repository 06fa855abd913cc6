"""audio-s: a small residual convolutional network for sounds, on log-mel patches of a second, made by this project.

How its weights came about is told by its card, `pretraining/sound/card.md` in the repository.
"""

from __future__ import annotations

from torch import Tensor

from icecore.backbones.residual import Residual
from icecore.data import LogMelPreprocessing

FRAMES, MELS = 96, 64
MEAN, STD = -4.0, 2.0  # of the logarithms, about
FRONT = LogMelPreprocessing(
    rate=16_000, n_fft=512, window_length=400, hop_length=160, power=1, mels=MELS, fmin=125.0, fmax=7500.0,
    mel_scale="htk", triangles="mel", offset=0.001, floor=None, patch=FRAMES, patch_hop=FRAMES // 2, remainder="keep",
    axes=("frames", "mels"),
)  # fmt: skip


class AudioS(Residual):
    """Four stages at strides 4, 8, 16 and 32. (n, 96, 64), log-mel frames -> (n, 1024)."""

    def __init__(self) -> None:
        super().__init__(channels=1, widths=(32, 64, 128, 192), depths=(1, 2, 2, 1), features=1024)

    def forward(self, x: Tensor) -> Tensor:
        """(n, frames, mels) -> (n, 1024)."""
        return super().forward(self.standard(x))

    def standard(self, x: Tensor) -> Tensor:
        """(n, frames, mels) -> (n, 1, frames, mels) of about mean 0 and deviation 1."""
        return (x[:, None] - MEAN) / STD
