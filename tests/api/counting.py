"""Small networks: one that writes down what it forwards, in whichever process, and the text of a factory."""

from pathlib import Path

import torch
from torch import nn

from icecore import PretrainedModel

NETS = """
from torch import nn
def build():
    return nn.Sequential(nn.Conv2d(3, {}, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


class Counted(nn.Module):
    """A small convolution. Each forward appends the number of its items to a file."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.log.open("a", encoding="ascii") as file:
            file.write(f"{len(x)}\n")
        return self.stem(x)


def counted(log: Path) -> PretrainedModel:
    """The network, wrapped. What it forwards while its layers are listed is not counted."""
    torch.manual_seed(0)
    net = PretrainedModel.wrap(Counted(log), preprocess={"resize": "exact", "resize_size": 16}, name="counted")
    net.layers()
    log.write_text("", "ascii")
    return net


def forwarded(log: Path) -> int:
    """Items forwarded so far."""
    return sum(map(int, log.read_text("ascii").split()))
