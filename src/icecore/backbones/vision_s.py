"""vision-s: a small residual convolutional network for images of 64 to 128 pixels, made by this project.

How its weights came about is told by its card, `pretraining/vision/card.md` in the repository.
"""

from __future__ import annotations

from icecore.backbones.residual import Residual

SIDE = 96  # pixels, as trained
MEAN, STD = 0.5, 0.25  # of each channel, as trained


class VisionS(Residual):
    """Four stages at strides 4, 8, 16 and 32. (n, 3, h, w) -> (n, 1024)."""

    def __init__(self) -> None:
        super().__init__(channels=3, widths=(40, 80, 160, 240), depths=(1, 2, 2, 1), features=1024)
