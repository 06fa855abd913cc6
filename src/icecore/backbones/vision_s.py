"""vision-s: a small residual convolutional network for images of 64 to 128 pixels, made by this project.

How its weights came about is told by the card, `pretraining/vision/card.md` in the repository.
"""

from __future__ import annotations

from torch import Tensor, nn

SIDE = 96  # pixels, as trained
MEAN, STD = 0.5, 0.25  # of each channel, as trained
WIDTHS = (40, 80, 160, 240)
DEPTHS = (1, 2, 2, 1)
FEATURES = 1024


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class Block(nn.Module):
    """Basic residual block (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(width, width, 3)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        return self.activation(x + self.second(self.first(x)))  # type: ignore[no-any-return]  # modules are untyped


class VisionS(nn.Module):
    """Stem, four stages of residual blocks at strides 4, 8, 16 and 32, mean pooling. (n, 3, h, w) -> (n, 1024)."""

    features = FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, WIDTHS[0] // 2, 3, stride=2)
        inputs = (WIDTHS[0] // 2, *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(before, width, 3, stride=2), *(Block(width) for _ in range(depth)))
            for before, width, depth in zip(inputs, WIDTHS, DEPTHS, strict=True)
        )
        self.final = ConvNorm(WIDTHS[-1], FEATURES, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 1024)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.pooled(x)

    def pooled(self, x: Tensor) -> Tensor:
        """Output of the last stage, (n, 240, h, w) -> (n, 1024)."""
        return self.pool(self.final(x)).flatten(1)  # type: ignore[no-any-return]  # modules are untyped in torch
