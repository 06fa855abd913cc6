"""Photographs, texts and sounds to measure with: those of ICECORE_ASSETS, or made ones where there are none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import assets

WIDTH, HEIGHT, QUALITY = 500, 375, 90  # of a usual photograph in data sets of photographs
RATE, SECONDS = 44_100, 5  # of a sound
WORDS = ("where", "is", "my", "new", "card", "why", "was", "the", "payment", "from", "abroad", "declined", "twice")


@dataclass(frozen=True)
class Inputs:
    """Files or texts, and their classes, where they have any."""

    items: Sequence[Any]
    labels: np.ndarray | None = None


def inputs_of(modality: str, folder: Path, most: int) -> Inputs:
    """At most so many of a modality, spread evenly over what there is; what has to be made is written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"image": photographs, "text": texts, "sound": sounds}[modality](folder, most)


def photographs(folder: Path, most: int) -> Inputs:
    """JPEG files of 500 x 375 pixels: larger copies of TrashNet's photographs, or made ones."""
    found = sorted((data / "trashnet").rglob("*.jpg")) if (data := _data()) else []
    for number, path in enumerate(_spread(found, most) if found else [None] * most):
        image = Image.open(path).convert("RGB") if path else _coarse(number)
        place = folder / (path.parent.name if path else "made")
        place.mkdir(exist_ok=True)
        image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(place / f"{number:05}.jpg", quality=QUALITY)
    return _by_folder(sorted(folder.rglob("*.jpg"), key=lambda path: path.name), labelled=bool(found))


def texts(_folder: Path, most: int) -> Inputs:
    """Questions of banking77, or made ones."""
    if data := _data():
        with (data / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
            rows = _spread(list(csv.DictReader(file)), most)
        return Inputs([row["text"] for row in rows], np.array([row["category"] for row in rows]))
    random = np.random.default_rng(0)
    return Inputs([" ".join(random.choice(WORDS, size)) for size in random.integers(5, 30, most)])


def sounds(folder: Path, most: int) -> Inputs:
    """Sounds of five seconds, 44.1 kHz: those of ESC-10, or noise."""
    if data := _data():
        return _by_folder(_spread(sorted((data / "esc10").rglob("*.ogg")), most), labelled=True)
    import soundfile

    random = np.random.default_rng(0)
    for number in range(most):
        soundfile.write(folder / f"{number:05}.wav", random.uniform(-0.5, 0.5, RATE * SECONDS), RATE)
    return _by_folder(sorted(folder.glob("*.wav")), labelled=False)


def _data() -> Path | None:
    found = assets()
    return found / "data" if found else None


def _spread(values: Sequence[Any], most: int) -> list[Any]:
    n = min(most, len(values))
    return [values[i * len(values) // n] for i in range(n)]


def _by_folder(files: list[Path], *, labelled: bool) -> Inputs:
    return Inputs(files, np.array([path.parent.name for path in files]) if labelled else None)


def _coarse(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8))
