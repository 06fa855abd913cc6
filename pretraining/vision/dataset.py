"""The training set: views and what the teacher says of them, made in chunks that are computed once and kept.

A chunk is a folder `00042/` of `.npy` files: `views` uint8 (n, 3, student, student), `pooled` float16 (n, 1280) and
the maps of `teacher.MAPS`, float16. It is a function of the seed and its number, and is written whole or not at all.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from pretraining.vision import formulas, views
from pretraining.vision.teacher import Teacher

BASE_SIDE = 192
TEACHER_SIDE = 160
TEACHER_BATCH = 64
STUDENT_SIDE = 96
VIEWS = 4096  # of a chunk
VIEWS_OF_A_BASE = 4  # on average; half of the bases are drawn, half are cut from photographs
PASS = 256  # views made at a time


@dataclass(frozen=True)
class Source:
    """What chunks are a function of.

    Args:
        folder: where they lie.
        teacher: id or folder of the network that answers.
        seed: of everything.
        views: in a chunk.
        fast: the teacher in OpenVINO and bfloat16, else in torch and float32.
    """

    folder: Path
    teacher: str
    seed: int
    views: int = VIEWS
    fast: bool = True

    def place(self, number: int) -> Path:
        """Folder of a chunk."""
        return self.folder / f"{number:05d}"


def make(source: Source, count: int, workers: int) -> list[Path]:
    """Make the first `count` chunks, those that are not there, in processes of one thread each."""
    left = [number for number in range(count) if not source.place(number).is_dir()]
    begin = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (source,)) as pool:
        for done, number in enumerate(pool.map(_make, left), 1):
            print(f"chunk {number}: {done} of {len(left)}, {time.monotonic() - begin:.0f} s", flush=True)
    return [source.place(number) for number in range(count)]


_worker: dict[str, Any] = {}  # of a process: its source and its teacher


def _prepare(source: Source) -> None:
    torch.set_num_threads(1)
    _worker.update(source=source, teacher=Teacher(source.teacher, TEACHER_SIDE, TEACHER_BATCH, fast=source.fast))


def _make(number: int) -> int:
    """One chunk, written whole or not at all; nothing where another process was quicker."""
    source: Source = _worker["source"]
    arrays = _arrays(source, number, _worker["teacher"])
    source.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=source.folder, prefix=".", ignore_cleanup_errors=True) as unfinished:
        for name, array in arrays.items():
            np.save(Path(unfinished, f"{name}.npy"), array)
        with suppress(FileExistsError):
            if not source.place(number).is_dir():
                Path(unfinished).rename(source.place(number))
    return number


def _arrays(source: Source, number: int, teacher: Teacher) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([source.seed, number])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    photographs = views.Photographs()
    half = source.views // VIEWS_OF_A_BASE // 2
    drawn = [formulas.draw(rng, BASE_SIDE, photographs) for _ in range(half)]
    cut = [np.uint8(photographs(rng, BASE_SIDE) * 255) for _ in range(half)]
    bases = torch.from_numpy(np.stack(drawn + cut)).permute(0, 3, 1, 2).contiguous()
    parts = []
    for start in range(0, source.views, PASS):
        large = views.take(generator, bases, min(PASS, source.views - start), TEACHER_SIDE)
        small = F.interpolate(large, size=STUDENT_SIDE, mode="bicubic", antialias=True).clamp(0, 1)
        answers = {name: answer.astype(np.float16) for name, answer in teacher(large).items()}
        parts.append({"views": (small * 255).round().byte().numpy(), **answers})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
