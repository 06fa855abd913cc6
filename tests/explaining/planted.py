"""Inputs whose class is decided by something in a known place."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from tests.sounds import RATE, encoded

SIDE, SQUARE = 96, 28


def squared(label: str, rng: np.random.Generator) -> Image.Image:
    """Noise; of the class `square` with a red square in the lower right corner, else with a green one there."""
    pixels = rng.normal(120, 30, (SIDE, SIDE, 3))
    pixels[-SQUARE:, -SQUARE:] = (230, 20, 20) if label == "square" else rng.normal(120, 30, (SQUARE, SQUARE, 3))
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))


def write_squares(folder: Path, per_class: int = 16, *, seed: int = 0) -> Path:
    """Class folders `plain` and `square`."""
    rng = np.random.default_rng(seed)
    for label in ("plain", "square"):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            squared(label, rng).save(folder / label / f"{number:02d}.png")
    return folder


def in_the_corner(values: np.ndarray) -> bool:
    """Whether the largest value lies in the lower right quarter, which is clearly above the rest."""
    row, column = np.unravel_index(values.argmax(), values.shape)
    h, w = values.shape
    near = row >= 0.5 * h and column >= 0.5 * w  # 28 of 96 pixels are more than a cell of the coarsest map, of four
    quarter = values[h // 2 :, w // 2 :].mean()
    return bool(near and quarter > 1.3 * (values.sum() - values[h // 2 :, w // 2 :].sum()) / (0.75 * values.size))


@cache
def trained_transformer(pool: str) -> Any:
    """A small vision transformer that has learned to tell pictures with a red square somewhere from others."""
    ensure_torchvision_imports()
    from timm.models import VisionTransformer

    torch.manual_seed(0)
    net = VisionTransformer(
        32, 8, num_classes=2, embed_dim=32, depth=3, num_heads=2, mlp_ratio=2, global_pool=pool, class_token=True
    )
    learning = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(120):
        x, y = torch.rand(32, 3, 32, 32) * 0.6, torch.randint(0, 2, (32,))
        for i in torch.nonzero(y)[:, 0].tolist():
            top, left = torch.randint(0, 24, (2,)).tolist()
            x[i, :, top : top + 9, left : left + 9] = torch.tensor([0.9, 0.08, 0.08])[:, None, None]
        learning.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        learning.step()
    return net.eval()


def write_sentences(file: Path, words: tuple[str, str] = ("refund", "transfer"), n: int = 24) -> Path:
    """A table of texts whose class is one of two words, somewhere among others."""
    rng = np.random.default_rng(0)
    others = ("my", "card", "is", "lost", "the", "rate", "of", "exchange", "today", "please", "help", "when", "will")
    lines = []
    for i in range(n):
        text = list(rng.choice(others, 6))
        text.insert(int(rng.integers(0, 6)), words[i % 2])
        lines.append(f"{' '.join(text)},{words[i % 2]}")
    file.write_text("text,label\n" + "\n".join(lines), "utf-8")
    return file


def write_late_tones(folder: Path, each: int = 10, seconds: float = 2.0) -> Path:
    """Class folders of noise: `beep` with a tone of 2,500 Hz in the last quarter, `noise` without."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * RATE)) / RATE
    late = time >= 0.75 * seconds
    for label in ("beep", "noise"):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            samples = rng.normal(0, 0.03, len(time)) + (0.5 * np.sin(2 * np.pi * 2500 * time) * late) * (
                label == "beep"
            )
            (folder / label / f"{number}.wav").write_bytes(encoded(samples.astype(np.float32)))
    return folder
