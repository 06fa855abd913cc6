"""Small real photographs, and networks small enough to count what they are given."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from icecore import backbones
from icecore.backbones import Extractor
from icecore.data import ImagePreprocessing

SIDE = 24
PREPARE = ImagePreprocessing(resize="exact", resize_size=SIDE)


def pixels(seed: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def write_photos(folder: Path, seeds: range, side: int = SIDE) -> list[Path]:
    """A PNG for each seed, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed:04}.png" for seed in seeds]
    for seed, path in zip(seeds, paths, strict=True):
        Image.fromarray(pixels(seed, side)).save(path, compress_level=1)
    return paths


class Tiny(nn.Module):
    """Two convolutions that note how many items they were given, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.second = nn.Conv2d(4, 6, 3, stride=2)
        self.seen = {"batches": ()}

    def forward(self, x: Tensor) -> Tensor:
        self.seen["batches"] += (len(x),)
        return self.second(torch.relu(self.first(x))).mean((2, 3))


def tiny(module: nn.Module | None = None, preprocess: ImagePreprocessing = PREPARE) -> Extractor:
    """A wrapped network, whose probe pass is over and not counted."""
    backbone = backbones.wrap(module or Tiny(), preprocess=preprocess)
    backbone.layers()
    backbone.module.seen["batches"] = ()
    return backbone


def forwarded(backbone: Extractor) -> int:
    """Items that went through the network since the last time that this was asked."""
    count = sum(backbone.module.seen["batches"])
    backbone.module.seen["batches"] = ()
    return count
