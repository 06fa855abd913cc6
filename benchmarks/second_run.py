"""A first run, runs with 1 % new photographs, and second runs, from files to a matrix of features in one process.

Beside it embetter's cache, where embetter is installed, around the usual loop over the same network. The run with new
photographs is done twice: with the network at hand, and with one that was loaded anew, as another process would.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/second_run.py` works from anywhere

from benchmarks.common import finish, mobilenet_folder, options, photographs, show  # pins threads, so before NumPy

# isort: split
import numpy as np

from benchmarks.sides.peers import vision_loop
from icecore import PretrainedModel

AGAIN = 7
SHARE = 100  # one in so many is new


class Runs:
    """Runs of one side: seconds and how many photographs went through the network, by name."""

    def __init__(self, transform: Callable[[Sequence[Path]], int]) -> None:
        self._transform = transform
        self.found: dict[str, dict[str, float]] = {}

    def run(self, name: str, files: Sequence[Path], times: int = 1) -> None:
        """Run, several times where only the first is not the same."""
        taken = []
        for _ in range(times):
            begin = time.perf_counter()
            computed = self._transform(files)
            taken.append(time.perf_counter() - begin)
        self.found[name] = {"photographs": len(files), "computed": computed, "seconds": statistics.median(taken)}

    @property
    def first(self) -> float:
        """Seconds of the first run."""
        return self.found["first run"]["seconds"]


def icecore(folder: Path, parts: Sequence[list[Path]], store: str) -> Runs:
    """Our runs. The second lot of new photographs is for a network that is loaded anew."""
    known, more, rest = parts
    nets = [PretrainedModel.load(f"hf:{folder}", device="cpu")]

    def transform(files: Sequence[Path]) -> int:
        features = nets[-1].extract_features(files, store=store, progress=False)
        features["last"]
        return features.report.computed

    runs = Runs(transform)
    runs.run("first run", known)
    runs.run("1 % new", known + more)
    begin = time.perf_counter()
    nets.append(PretrainedModel.load(f"hf:{folder}", device="cpu"))
    loading = time.perf_counter() - begin
    runs.run("1 % new, network loaded anew", known + more + rest)
    runs.found["1 % new, network loaded anew"]["loading"] = loading
    runs.run("second run", known + more + rest, AGAIN)
    return runs


def embetter(folder: Path, parts: Sequence[list[Path]], place: str) -> Runs:
    """The same with embetter's cache, whose keys are the paths."""
    from embetter.utils import cached

    known, more, _ = parts
    loop = vision_loop(folder)
    counted: list[int] = []

    class Encoder:
        def transform(self, files: Sequence[str], _y: Any = None) -> np.ndarray:
            counted.append(len(files))
            return loop.work([Path(file) for file in files], 0, loop.batch_size) if files else np.zeros((0, 1))

    encoder = cached(place, Encoder())

    def transform(files: Sequence[Path]) -> int:
        encoder.transform([str(path) for path in files])
        return counted[-1]

    runs = Runs(transform)
    runs.run("first run", known)
    runs.run("1 % new", known + more)
    runs.run("second run", known + more, AGAIN)
    return runs


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0])
    with (
        photographs(chosen.data, 2500 if chosen.full else 300) as files,
        mobilenet_folder() as folder,
        tempfile.TemporaryDirectory() as ours,
        tempfile.TemporaryDirectory() as theirs,
    ):
        few = max(1, len(files) // SHARE)
        parts = files[: -2 * few], files[-2 * few : -few], files[-few:]
        sides = {"icecore": icecore(folder, parts, ours)}
        if find_spec("embetter"):
            sides["embetter"] = embetter(folder, parts, theirs)
    figures = {
        name: {run: one | {"of_first": one["seconds"] / runs.first} for run, one in runs.found.items()}
        for name, runs in sides.items()
    }
    show(
        f"MobileNetV2, one process (second run: median of {AGAIN})",
        ("side", "run", "photographs", "computed", "seconds", "of the first"),
        [
            (name, run, one["photographs"], one["computed"], f"{one['seconds']:.3f}", f"{one['of_first']:.2%}")
            for name, runs in figures.items()
            for run, one in runs.items()
        ],
    )
    speedup = 1 / figures["icecore"]["second run"]["of_first"]
    print(f"\nicecore's second run is {speedup:.0f} times as fast as its first.")
    finish(chosen, {"runs": figures, "second_run_speedup": speedup})


if __name__ == "__main__":
    main()
