"""A network and pictures for tests of fine-tuning, made so that frozen features cannot tell the classes and tuned can.

The class of a picture is the order of two neighbouring patches. The branches of the network's blocks begin at zero, so
what it gives is the mean colour, the same for both orders; but its blocks see neighbours, and can learn. Where weights
are compared it is not `blind`: of a gradient that is zero but for rounding, AdamW makes whole steps.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import icecore
from icecore import PretrainedModel, TransferModel

PREPROCESS = '{"resize": "exact", "resize_size": 16, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}'
SOURCE = '''
import torch
from torch import nn

class Stem(nn.Conv2d):
    """Patches of 4 x 4. With a log, each forward appends the number of its items to it."""

    def __init__(self, width, log=None):
        super().__init__(3, width, 4, 4)
        self.log = log

    def forward(self, x):
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{len(x)}\\n")
        return super().forward(x)

class Block(nn.Module):
    def __init__(self, width, blind):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.act, self.drop = nn.ReLU(), nn.Dropout(0.1)
        if blind:
            nn.init.zeros_(self.conv2.weight)

    def forward(self, x):
        return x + self.conv2(self.drop(self.act(self.norm(self.conv1(x)))))

class Net(nn.Module):
    def __init__(self, width=12, depth=3, log=None, blind=True):
        super().__init__()
        torch.manual_seed(0)
        self.stem = Stem(width, log)
        self.blocks = nn.ModuleList(Block(width, blind) for _ in range(depth))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(width, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.pool(x).flatten(1))

def build():
    return Net()
'''
COLOURS = np.array([[220, 60, 60], [60, 60, 220]])
FAST = {"epochs": 8, "learning_rate": 1e-2, "batch_size": 16, "mixup": 0.0, "folds": 1, "progress": False}


def network(log: Path | None = None, **options: Any) -> PretrainedModel:
    """The network, wrapped. Forwards of its stem are noted in the log, those of its tracing are not."""
    names: dict[str, Any] = {}
    exec(SOURCE, names)
    net = PretrainedModel.wrap(
        names["Net"](log=None if log is None else str(log), **options),
        preprocess={"resize": "exact", "resize_size": 16, "mean": [0.5] * 3, "std": [0.5] * 3},
        name="orders",
    )
    net.layers()
    if log is not None:
        log.write_text("", "ascii")
    return net


def write_network(folder: Path) -> str:
    """The same for processes of their own: the id of a factory in a file, with a checkpoint."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.py").write_text(SOURCE, "utf-8")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    save_file(network().backbone.module.state_dict(), folder / "orders.safetensors")
    return f"torch:{folder / 'orders.py'}:build?weights={folder / 'orders.safetensors'}"


def order(first: int, rng: np.random.Generator) -> Image.Image:
    """A grey picture with a patch of the first colour left of one of the other."""
    pixels = rng.normal(128, 20, (16, 16, 3))
    top, left = 4 * rng.integers(4), 4 * rng.integers(3)
    for place, colour in ((left, first), (left + 4, 1 - first)):
        pixels[top : top + 4, place : place + 4] = COLOURS[colour] + rng.normal(0, 15, (4, 4, 3))
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))


def orders(each: int, *, seed: int = 0) -> tuple[list[Image.Image], list[str]]:
    """Pictures of both orders in turn, and their labels."""
    rng = np.random.default_rng(seed)
    codes = [0, 1] * each
    return [order(code, rng) for code in codes], ["red first" if code == 0 else "blue first" for code in codes]


def write_orders(folder: Path, each: int, *, seed: int = 0, random_labels: bool = False) -> Path:
    """The same as class folders. Returns the folder."""
    pictures, labels = orders(each, seed=seed)
    if random_labels:
        labels = list(np.random.default_rng(seed + 1).permutation(labels))
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture.save(folder / label / f"{number:03d}.png")
    return folder


def fitted(data: Any, y: Sequence[Any] | None = None, *, store: Path, net: Any = None, **options: Any) -> TransferModel:
    """A quick frozen model of it."""
    options = {"head": "logistic:C=1", "folds": 2, "repeats": 1} | options
    return icecore.fit(data, y, backbone=net or network(), store=store, progress=False, **options)


def accuracy(report: Any) -> tuple[float, float]:
    """Of the tuned and the frozen model."""
    return report.metrics[0]["accuracy"].value, report.frozen_metrics[0]["accuracy"].value
