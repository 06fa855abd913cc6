"""What the benchmarks share: pinned threads, the machine, photographs, sides that take turns, a table, JSON.

Timings on a shared machine are noisy, so sides are compared within one run, taking turns, by the median of the ratios
of the rounds. Run as a script it prints the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Before anything reads them: both sides of a comparison have the same threads.
THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1))))
os.environ.setdefault("MKL_NUM_THREADS", str(THREADS))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np  # noqa: E402 - see above
import torch  # noqa: E402 - see above
from PIL import Image  # noqa: E402 - see above

torch.set_num_threads(THREADS)

Side = Callable[[], Callable[[], None]]  # sets up, and returns what is to be measured
LIBRARIES = (
    *("icecore", "torch", "torchvision", "timm", "transformers", "numpy", "pyarrow", "pillow", "openvino"),
    *("onnxruntime", "keras", "sentence-transformers", "embetter"),
)


def options(description: str, *, only: Sequence[str] = ()) -> argparse.Namespace:
    """The command line that all benchmarks have, and a choice among `only` for those that measure several things."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the whole measurement, instead of a small one")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--data", type=Path, help="a folder of photographs; TrashNet of ICECORE_ASSETS by default")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, help="how often each side takes its turn")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps; where a benchmark leaves the choice")
    if only:
        parser.add_argument("--only", action="append", choices=only, help="this alone; may be repeated")
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": THREADS,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: number for name in LIBRARIES if (number := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor()


def assets() -> Path | None:
    """The folder of real weights and data, where there is one."""
    named = os.environ.get("ICECORE_ASSETS")
    return Path(named) if named and Path(named).is_dir() else None


@contextmanager
def photographs(given: Path | None, most: int) -> Iterator[list[Path]]:
    """At most so many photographs of a folder, spread evenly; made ones where there is none."""
    folder = given or (assets() / "data" / "trashnet" if assets() else None)
    if folder is not None:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
        yield [found[i] for i in np.linspace(0, len(found) - 1, min(most, len(found))).astype(int)]
        return
    print("No --data, and ICECORE_ASSETS is not set: the photographs are made up.")
    with tempfile.TemporaryDirectory() as made:
        yield [_made(Path(made), seed) for seed in range(most)]


def _made(folder: Path, seed: int) -> Path:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    path = folder / f"{seed:05}.jpg"
    Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


@contextmanager
def mobilenet_folder() -> Iterator[Path]:
    """MobileNetV2 as a Transformers folder: the real one of ICECORE_ASSETS, or one with random weights."""
    if found := assets():
        yield found / "weights" / "mobilenet_v2_hf"
        return
    from icecore.backbones import load

    load(
        "timm:resnet18@random"
    )  # makes torchvision importable where its operators do not fit, which Transformers needs
    from transformers import MobileNetV2Config, MobileNetV2ImageProcessor, MobileNetV2Model

    with tempfile.TemporaryDirectory() as made:
        MobileNetV2Model(MobileNetV2Config(image_size=224)).save_pretrained(made)
        MobileNetV2ImageProcessor().save_pretrained(made)
        yield Path(made)


def alternate(sides: Mapping[str, Side], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side, which take turns; every round begins with the next one."""
    names = list(sides)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            taken[name].append(seconds(sides[name]))
    return taken


def seconds(work: Side) -> float:
    """How long the function takes that `work` returns: setting up is not measured."""
    ready = work()
    begin = time.perf_counter()
    ready()
    return time.perf_counter() - begin


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as fast as they we are: the median over the rounds."""
    return statistics.median(their / our for our, their in zip(ours, theirs, strict=True))


def show(title: str, headings: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """A table."""
    rows = [list(map(str, line)) for line in [headings, *lines]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"\n{title}")
    for row in rows:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join([first, *rest]).rstrip())


def kept(chosen: argparse.Namespace, name: str) -> dict[str, Any]:
    """Results of earlier runs that a run of a part of the networks goes on with."""
    if not (chosen.only and chosen.json and chosen.json.exists()):
        return {}
    found: dict[str, Any] = json.loads(chosen.json.read_text("utf-8"))[name]
    return found


def finish(chosen: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Say what machine it was, and write the JSON that was asked for."""
    found = machine()
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    print(f"\n{found['processor']}, {found['cores']} cores, {THREADS} threads, load {found['load']}, {found['system']}")
    print(f"Python {found['python']}, {versions}")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps({"machine": found, "full": chosen.full, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    json.dump(machine(), sys.stdout, indent=2)
    print()
