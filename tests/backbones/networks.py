"""Networks with the habits that make features go wrong."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore.backbones import TorchBackbone, wrap
from icecore.data import ImagePreprocessing

PREPARE = ImagePreprocessing(resize="exact", resize_size=32)


def wrapped(module: nn.Module, seed: int = 0) -> TorchBackbone:
    """A seeded copy of the module as a backbone on 32 x 32 images."""
    return wrap(seeded(module, seed), preprocess=PREPARE)


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) / max(1, value[0].numel()) ** 0.5)
    return module


def whole(_layer: Any, value: Tensor) -> Tensor:
    return value


def close(found: Tensor, expected: Tensor) -> bool:
    """Of one shape, and equal to a hundred-thousandth of the expected norm, row by row."""
    size = expected.flatten(1).norm(dim=1)
    return found.shape == expected.shape and bool(((found - expected).flatten(1).norm(dim=1) <= 1e-5 * size).all())


def run(net: TorchBackbone, images: Sequence[Any], layers: Sequence[str]) -> dict[str, Tensor]:
    """Whole activations of images."""
    return net.run([net.prepare(image) for image in images], list(layers), whole)


def below_classifier(module: nn.Module) -> nn.Module:
    """A copy that ends before its last linear layer, or for SqueezeNet before its last convolution."""
    bare = copy.deepcopy(module)
    kinds = nn.Linear if any(isinstance(part, nn.Linear) for part in bare.modules()) else nn.Conv2d
    name = [name for name, part in bare.named_modules() if isinstance(part, kinds)][-1]
    bare.set_submodule(name, nn.Identity())
    if kinds is nn.Conv2d:
        bare.classifier[2] = nn.Identity()  # the activation after it
    return bare


def plain(*more: nn.Module) -> nn.Sequential:
    """A little network with in-place activations and a classifier."""
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, 2), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, 2), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5), *more),
    )


class Reuses(nn.Module):
    """Calls one module three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again, self.fc = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = self.again(x).relu_()
        return self.fc(x.mean((2, 3)))


class ByName(nn.Module):
    """Uses a module's weights without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.by_name, self.fc = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(self.stem(x), self.by_name.weight, self.by_name.bias)
        return self.fc(x.mean((2, 3)))


class Outputs(nn.Module):
    """Returns what `form` makes of (mask, features, logits)."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        self.conv, self.fc, self.form = nn.Conv2d(3, 4, 3, 2), nn.Linear(4, 3), form

    def forward(self, x: Tensor) -> Any:
        maps = self.conv(x)
        return self.form(maps > 0, maps, self.fc(maps.mean((2, 3))))


@dataclass
class Output:
    """A model output that is no mapping."""

    mask: Tensor
    scores: Tensor


class Chooses(nn.Module):
    """Runs one module or another, as the data say."""

    def __init__(self) -> None:
        super().__init__()
        self.dark, self.light = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.light if x.mean() > 0.2 else self.dark
        return branch(x).mean((2, 3))


class Counts(nn.Module):
    """Counts how often it has run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x


class TokensFirst(nn.Module):
    """Inside, the items are the second axis."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0) for _ in range(2))
        self.fc = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x)
        return self.fc(x.mean(0))


class BasicBlock(nn.Module):
    """Of the CIFAR ResNets: the shortcut pads with zeros (He et al. 2015, option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.padding = outputs // 4 if stride == 2 else 0

    def forward(self, x: Tensor) -> Tensor:
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding)) if self.padding else x
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + short)


class ResNet20(nn.Module):
    """For CIFAR-10, with the names of its well-known checkpoint."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(BasicBlock(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, 2), BasicBlock(32, 32, 1), BasicBlock(32, 32, 1))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def resnet20(num_classes: int = 10) -> nn.Module:
    return ResNet20(num_classes)
