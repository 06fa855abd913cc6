"""vision-s: a small residual convolutional network for images of 64 to 128 pixels. 2.8 M parameters."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (48, 96, 192, 320)
DEPTHS = (1, 2, 3, 2)
EXPANSION = 2


class Block(nn.Module):
    """Inverted residual: expand, depthwise 3 x 3, project (Sandler et al. 2018, https://arxiv.org/abs/1801.04381)."""

    def __init__(self, width: int, expansion: int = EXPANSION) -> None:
        super().__init__()
        hidden = width * expansion
        self.expand = ConvNorm(width, hidden, 1)
        self.depthwise = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.project = nn.Sequential(nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        update: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + update


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(),
        )


class VisionS(nn.Module):
    """Stem, four stages of residual blocks at strides 4, 8, 16 and 32, mean pooling. (n, 3, h, w) -> (n, 640)."""

    def __init__(self, features: int = 640) -> None:
        super().__init__()
        self.stem = ConvNorm(3, WIDTHS[0] // 2, 3, stride=2)
        inputs = (WIDTHS[0] // 2, *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(before, width, 3, stride=2), *(Block(width) for _ in range(depth)))
            for before, width, depth in zip(inputs, WIDTHS, DEPTHS, strict=True)
        )
        self.final = ConvNorm(WIDTHS[-1], features, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, features)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.pool(self.final(x)).flatten(1)  # type: ignore[no-any-return]  # modules are untyped in torch
