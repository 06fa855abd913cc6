"""Small data for tests of whole jobs: pictures whose class even an untrained network sees."""

from pathlib import Path

import numpy as np
from PIL import Image

BACKBONE = "icecore:vision-s@random"
WIDTH = 1024  # of its features
COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 50, 40)}


def picture(label: str, rng: np.random.Generator, side: int = 24) -> Image.Image:
    """A noisy square in the colour of its class."""
    noise = rng.normal(0, 25, (side, side, 3))
    return Image.fromarray(np.uint8(np.clip(np.array(COLOURS[label]) + noise, 0, 255)))


def write_colours(
    folder: Path, per_class: int = 8, *, seed: int = 0, classes: tuple[str, ...] = tuple(COLOURS), ending: str = "png"
) -> Path:
    """Class folders of small files. Returns the folder."""
    rng = np.random.default_rng(seed)
    for label in classes:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            picture(label, rng).save(folder / label / f"{number:03d}.{ending}")
    return folder


def labelled(folder: Path) -> tuple[list[str], list[str]]:
    """Paths and labels of class folders."""
    paths = sorted(folder.rglob("*.png"))
    return [str(path) for path in paths], [path.parent.name for path in paths]
