"""Networks of one's own, with what people write between and inside their modules."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from icecore.backbones import TorchBackbone, wrap
from icecore.data import ImagePreprocessing


def wrapped(module: type[nn.Module]) -> TorchBackbone:
    """A seeded network on 16 x 16 images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return wrap(module(), preprocess=ImagePreprocessing(resize="exact", resize_size=16))


class Block(nn.Module):
    """A convolution of 8 channels with its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.conv(x)))


class Plain(nn.Module):
    """Three blocks; subclasses say what lies between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.one, self.two, self.three = Block(), Block(), Block()
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(self.stem(x)).mean((2, 3)))

    def body(self, x: Tensor) -> Tensor:
        return self.three(self.two(self.one(x)))


class ReadsShapes(Plain):
    """Takes sizes from activations below any cut, and makes tensors of them."""

    def body(self, x: Tensor) -> Tensor:
        n, channels, height, width = self.one(x).shape
        ramp = torch.linspace(0, 1, height * width, device=x.device).view(1, 1, height, width)
        x = self.two(x).view(n, channels, -1).view(n, channels, height, width) + ramp
        return self.three(x)


class WritesInPlace(Plain):
    """Overwrites what its modules gave, without a module for it."""

    def body(self, x: Tensor) -> Tensor:
        x = F.relu(self.one(x), inplace=True)
        x = self.two(x).add_(0.5)
        return self.three(x.relu_())


class Twice(Plain):
    """Calls one module early and late, inside another that is called twice too."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(self.one, nn.ReLU(inplace=True))

    def body(self, x: Tensor) -> Tensor:
        return self.three(self.pair(self.two(self.pair(x))))


class Dictionaries(Plain):
    """Its second block gives a dictionary, with a list in it and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.two = Named()

    def body(self, x: Tensor) -> Tensor:
        found = self.two(self.one(x))
        maps, means = found["maps"]
        return self.three(maps * means[:, :, None, None] / found["size"])


class Named(Block):
    def forward(self, x: Tensor) -> dict:
        x = super().forward(x)
        return {"maps": [x, x.mean((2, 3))], "size": 8}


@dataclass
class Output:
    """A value of one's own."""

    maps: Tensor


class Objects(Plain):
    """Its second block gives an object of its own kind."""

    def __init__(self) -> None:
        super().__init__()
        self.two = Object()

    def body(self, x: Tensor) -> Tensor:
        return self.three(self.two(self.one(x)).maps)


class Object(Block):
    def forward(self, x: Tensor) -> Output:
        return Output(super().forward(x))


class Tied(Plain):
    """The first and the last block share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.three.conv.weight = self.one.conv.weight


class Notes(Plain):
    """Keeps what it computed at first, in a buffer and in an attribute; counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ramp", None, persistent=False)
        self.register_buffer("passes", torch.zeros((), dtype=torch.long))
        self.scale: Tensor | None = None

    def body(self, x: Tensor) -> Tensor:
        if self.ramp is None:
            self.ramp, self.scale = torch.linspace(0, 1, x.shape[-1]), torch.ones(8, 1, 1) * 2
        self.passes += 1
        return super().body(x) * self.ramp * self.scale


class Halves(Plain):
    """Its second block computes in half precision."""

    def body(self, x: Tensor) -> Tensor:
        x = self.halved(self.one(x))
        return self.three(self.two(x.float()))

    def __init__(self) -> None:
        super().__init__()
        self.halved = ToHalf()


class ToHalf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.bfloat16()


class Chooses(Plain):
    """Runs one block or another, as the data say."""

    def body(self, x: Tensor) -> Tensor:
        return self.three((self.one if x.mean() > 0 else self.two)(x))


class Checkpoints(Plain):
    """Computes its blocks again on the way back."""

    def body(self, x: Tensor) -> Tensor:
        for block in (self.one, self.two, self.three):
            x = checkpoint(block, x, use_reentrant=False)
        return x
