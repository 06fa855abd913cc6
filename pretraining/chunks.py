"""A training set made in chunks: folders of arrays that are computed once, in several processes, and kept.

A chunk `00042/` holds one `.npy` a name, each (views, ...). It is a function of its source and its number, and is
written whole or not at all, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

VIEWS = "views"


class Source(Protocol):
    """What chunks are a function of: the seed, the teacher, the formulas. Other processes get a copy of it."""

    def arrays(self, number: int) -> Mapping[str, NDArray[np.generic]]:
        """The views of a chunk under `views`, and what the teacher says of them under other names."""
        ...


def make(source: Source, folder: Path, count: int, workers: int) -> list[Path]:
    """Make the first `count` chunks, those that are not there, in processes of one thread each. Returns all."""
    places = [folder / f"{number:05d}" for number in range(count)]
    left = [number for number, place in enumerate(places) if not place.is_dir()]
    begin = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (source,)) as pool:
        for done, number in enumerate(pool.map(_make, left, [places[number] for number in left]), 1):
            print(f"chunk {number}: {done} of {len(left)}, {time.monotonic() - begin:.0f} s", flush=True)
    return places


def read(chunk: Path) -> dict[str, torch.Tensor]:
    """All arrays of a chunk."""
    return {file.stem: torch.from_numpy(np.load(file)) for file in sorted(chunk.glob("*.npy"))}


_source: Source  # of a process that makes chunks


def _prepare(source: Source) -> None:
    global _source
    torch.set_num_threads(1)
    _source = source


def _make(number: int, place: Path) -> int:
    """One chunk, written whole or not at all; nothing where another process was quicker."""
    arrays = _source.arrays(number)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent, prefix=".", ignore_cleanup_errors=True) as unfinished:
        for name, array in arrays.items():
            np.save(Path(unfinished, f"{name}.npy"), array)
        with suppress(FileExistsError):
            if not place.is_dir():
                Path(unfinished).rename(place)
    return number
