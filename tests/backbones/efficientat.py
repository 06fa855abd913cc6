"""EfficientAT's networks (Schmid et al. 2023, https://arxiv.org/abs/2211.04772), with the names of their checkpoints.

MobileNetV3-Large (Howard et al. 2019, table 1) for spectra, of any width, with squeeze-and-excitation by linear layers.
"""

from torch import Tensor, nn

# kernel, expanded channels, channels, squeeze-and-excitation, hard swish, stride
_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


def eights(channels: float) -> int:
    """The nearest multiple of 8 that is not less by a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def conv(inputs: int, outputs: int, activation: nn.Module | None, kernel: int = 1, **more: int) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **more)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs, eps=0.001), *([] if activation is None else [activation]))


class Squeeze(nn.Module):
    """Scales channels by what is in them all over the spectrogram."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = eights(channels // 4)
        self.fc1, self.fc2 = nn.Linear(channels, inner), nn.Linear(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]


class Squeezes(nn.Module):
    """One of them; the checkpoints have room for several."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([Squeeze(channels)])

    def forward(self, x: Tensor) -> Tensor:
        return self.conc_se_layers[0](x)


class Block(nn.Module):
    """An inverted residual block."""

    def __init__(self, inputs: int, inner: int, outputs: int, row: tuple[int, int, int, bool, bool, int]) -> None:
        super().__init__()
        kernel, _, _, squeeze, hard, stride = row
        act = nn.Hardswish if hard else nn.ReLU
        self.block = nn.Sequential(
            *([conv(inputs, inner, act())] if inner != inputs else []),
            conv(inner, inner, act(), kernel, stride=stride, groups=inner),
            *([Squeezes(inner)] if squeeze else []),
            conv(inner, outputs, None),
        )
        self.short = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x) + x if self.short else self.block(x)


class MobileNet(nn.Module):
    """(n, 1, mels, frames) -> (n, classes)."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        before = eights(16 * width)
        layers = [conv(1, before, nn.Hardswish(), 3, stride=2)]
        for row in _BLOCKS:
            inner, after = (eights(channels * width) for channels in row[1:3])
            layers.append(Block(before, inner, after, row))
            before = after
        self.features = nn.Sequential(*layers, conv(before, 6 * before, nn.Hardswish()))
        last = eights(1280 * width)
        self.classifier = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6 * before, last)),
            *(nn.Hardswish(), nn.Dropout(0.2), nn.Linear(last, classes)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


def mn(width: float = 0.4, classes: int = 527) -> nn.Module:
    return MobileNet(width, classes)
