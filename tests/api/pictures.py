"""Digits on cluttered backgrounds, and copies of pictures that are not quite the same."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from icecore.api.demo import write_digits

BUNDLED = "icecore:vision-s"


def write_some(folder: Path, per_class: int, classes: int = 3, *, seed: int = 0) -> Path:
    """Class folders of digits, the first few classes alone."""
    whole = write_digits(folder, per_class=per_class, seed=seed)
    for label in range(classes, 10):
        for file in (whole / str(label)).iterdir():
            file.unlink()
        (whole / str(label)).rmdir()
    return whole


def nearly(file: Path, to: Path, number: int = 0) -> Path:
    """A copy that was saved as JPEG, made brighter or more colourful."""
    image = Image.open(file).convert("RGB")
    changed = (jpeg(image, 98), ImageEnhance.Brightness(image).enhance(1.05), ImageEnhance.Color(image).enhance(1.1))
    to.parent.mkdir(parents=True, exist_ok=True)
    changed[number % 3].save(to)
    return to


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The picture after it was saved as JPEG."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality, subsampling=0)
    return Image.open(written).convert("RGB")


def noise(seed: int, side: int = 96) -> np.ndarray:
    """A picture of nothing."""
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
