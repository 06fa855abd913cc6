"""Photographs, texts and sounds to measure with: those of ICECORE_ASSETS, or made ones where there are none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import assets

WIDTH, HEIGHT, QUALITY = 500, 375, 90  # of a usual photograph in data sets of photographs
RATE, SECONDS = 44_100, 5  # of a sound
WORDS = [
    "where",
    "is",
    "my",
    "new",
    "card",
    "and",
    "why",
    "was",
    "the",
    "payment",
    "that",
    "I",
    "made",
    "from",
    "abroad",
    "declined",
    "twice",
    "today",
    "please",
]


def photographs(folder: Path, most: int, source: Path | None = None) -> list[Path]:
    """At most so many JPEG files of 500 x 375 pixels, written to a folder: larger copies of TrashNet's, or made ones."""
    source = source or (assets() / "data" / "trashnet" if assets() else None)
    found = sorted(source.rglob("*.jpg")) if source else []
    for number in range(min(most, len(found)) if found else most):
        image = Image.open(found[number * len(found) // most]).convert("RGB") if found else _coarse(number)
        image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=QUALITY)
    return sorted(folder.glob("*.jpg"))


def texts(most: int) -> list[str]:
    """At most so many questions of banking77, in their order, or made ones."""
    if found := assets():
        with (found / "data" / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
            read = [row["text"] for row in csv.DictReader(file)]
        return [read[i] for i in np.linspace(0, len(read) - 1, min(most, len(read))).astype(int)]
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size)) for size in random.integers(5, 30, most)]


def sounds(folder: Path, most: int) -> list[Path]:
    """At most so many sounds of five seconds, 44.1 kHz: those of ESC-10, or noise written to a folder."""
    if found := assets():
        files = sorted((found / "data" / "esc10").rglob("*.ogg"))
        return [files[i] for i in np.linspace(0, len(files) - 1, min(most, len(files))).astype(int)]
    import soundfile

    random = np.random.default_rng(0)
    for number in range(most):
        soundfile.write(folder / f"{number:05}.wav", random.uniform(-0.5, 0.5, RATE * SECONDS), RATE)
    return sorted(folder.glob("*.wav"))


def _coarse(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8))
