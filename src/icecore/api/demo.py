"""Data for the demo: scikit-learn's handwritten digits, drawn at random places on cluttered backgrounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

SIDE = 96
PER_CLASS = 30


def write_digits(folder: Path, *, per_class: int = PER_CLASS, seed: int = 0) -> Path:
    """Write class folders `0` to `9` of PNG files, 96 x 96 RGB. Returns the folder.

    The digits are the UCI optical recognition set that scikit-learn bundles, each at a random place, size, angle and
    colour over random shapes and noise, so that raw pixels say little.
    """
    digits = load_digits()
    rng = np.random.default_rng(seed)
    for label in range(10):
        target = folder / str(label)
        target.mkdir(parents=True, exist_ok=True)
        chosen = rng.choice(np.flatnonzero(digits.target == label), per_class, replace=False)
        for number, index in enumerate(chosen):
            picture(digits.images[index], rng).save(target / f"{number:03d}.png")
    return folder


def picture(digit: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """One digit, (8, 8) from 0 to 16, on a background of its own. RGB, 96 x 96."""
    image = _background(rng)
    size = int(rng.integers(40, 64))
    mask = Image.fromarray(np.uint8(np.clip(digit * 16, 0, 255))).resize((size, size), Image.Resampling.BICUBIC)
    mask = mask.rotate(float(rng.uniform(-15, 15)), Image.Resampling.BICUBIC, expand=True)
    place = tuple(int(rng.integers(0, max(1, SIDE - edge))) for edge in mask.size)
    ink = Image.new("RGB", mask.size, _colour(rng, bright=True))
    image.paste(ink, place, mask)  # type: ignore[arg-type]  # a pair of integers
    return image


def _background(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), _colour(rng, bright=False))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 7))):
        x, y = (int(v) for v in rng.integers(-15, SIDE, 2))
        w, h = (int(v) for v in rng.integers(9, 45, 2))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=_colour(rng, bright=False))
    noise = rng.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(np.uint8(np.clip(np.asarray(image) + noise, 0, 255)))


def _colour(rng: np.random.Generator, *, bright: bool) -> tuple[int, int, int]:
    low, high = (150, 256) if bright else (0, 70)
    red, green, blue = (int(v) for v in rng.integers(low, high, 3))
    return red, green, blue
