"""Networks that see half of a picture each, and pictures of which each half tells a part: together they know more."""

from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

import icecore
from icecore import TransferModel

SOURCE = """
import torch
from torch import nn

class Half(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.first, self.mix, self.pool = first, nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d((2, 4))

    def forward(self, x):
        middle = x.shape[2] // 2
        return self.pool(self.mix(x[:, :, :middle] if self.first else x[:, :, middle:])).flatten(1)

def top():
    return Half(True)

def bottom():
    return Half(False)
"""


def networks(folder: Path) -> dict[str, str]:
    """Ids of both, which live in a folder."""
    (folder / "nets.py").write_text(SOURCE, "utf-8")
    (folder / "preprocess.json").write_text('{"resize": "exact", "resize_size": 16}', "utf-8")
    rng = np.random.default_rng(0)
    weights = {"mix.weight": rng.normal(size=(4, 3, 1, 1)).astype(np.float32), "mix.bias": np.zeros(4, np.float32)}
    save_file(weights, folder / "net.safetensors")
    return {n: f"torch:{folder / 'nets.py'}:{n}?weights={folder / 'net.safetensors'}" for n in ("top", "bottom")}


def halves(levels: np.ndarray, rng: np.random.Generator, signal: float = 8.0) -> np.ndarray:
    """(n, 16, 16, 3) pictures of patches of 4 x 4, all about as bright as a level from -1 to 1, each with its own
    error.
    """
    patches = 128 + signal * levels[:, None, None, None] + rng.normal(0, 28, (len(levels), 4, 4, 3))
    return np.uint8(np.clip(patches.repeat(4, axis=1).repeat(4, axis=2), 0, 255))


def write_halves(folder: Path, n: int = 300, seed: int = 0) -> Path:
    """Class folders dark and light."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    for number, (picture, code) in enumerate(zip(halves(2.0 * y - 1, rng), y, strict=True)):
        place = folder / ("dark", "light")[code]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{number:03d}.png")
    return folder


def fitted(data: object, network: str, store: Path, **options: object) -> TransferModel:
    """A quick fit."""
    how = {"head": "ridge", "layers": "last", "folds": 3, "repeats": 1, "progress": False, **options}
    return icecore.fit(data, backbone=network, store=store, **how)
