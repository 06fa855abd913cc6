"""The small residual convolutional network that the bundled backbones are made of."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


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


class Residual(nn.Module):
    """Stem, stages of residual blocks at strides 4, 8, 16, ..., mean pooling. (n, channels, h, w) -> (n, features).

    Args:
        channels: of the input.
        widths: of each stage.
        depths: residual blocks in each stage.
        features: of the output.
    """

    def __init__(self, channels: int, widths: Sequence[int], depths: Sequence[int], features: int) -> None:
        super().__init__()
        self.widths, self.features = tuple(widths), features
        self.stem = ConvNorm(channels, widths[0] // 2, 3, stride=2)
        inputs = (widths[0] // 2, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(before, width, 3, stride=2), *(Block(width) for _ in range(depth)))
            for before, width, depth in zip(inputs, widths, depths, strict=True)
        )
        self.final = ConvNorm(widths[-1], features, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, features)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.pooled(x)

    def pooled(self, x: Tensor) -> Tensor:
        """Output of the last stage, (n, widths[-1], h, w) -> (n, features)."""
        return self.pool(self.final(x)).flatten(1)  # type: ignore[no-any-return]  # modules are untyped in torch
