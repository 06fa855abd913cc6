"""A first run, one with 1 % new photographs and a second run, in one process, from files to a matrix of features."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/second_run.py` works from anywhere

from benchmarks.common import finish, mobilenet_folder, options, photographs, show
from icecore import backbones
from icecore.backbones import Extractor
from icecore.data import read
from icecore.features import Report, extract
from icecore.prefix import columns_of
from icecore.store import Store

AGAIN = 7


def run(net: Extractor, files: list[Path], store: Store) -> tuple[float, Report]:
    """Seconds from a list of files to a matrix, and what was computed."""
    begin = time.perf_counter()
    features = extract(net, read(files), columns_of(net, "last"), store=store)
    features.matrix()
    return time.perf_counter() - begin, features.report


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    with (
        photographs(chosen.data, 2500 if chosen.full else 300) as files,
        mobilenet_folder() as folder,
        tempfile.TemporaryDirectory() as place,
    ):
        net, store = backbones.load(f"hf:{folder}", device="cpu"), Store(place)
        known = files[: len(files) - max(1, len(files) // 100)]
        first, computed = run(net, known, store)
        new, computed_new = run(net, files, store)
        again = [run(net, files, store) for _ in range(AGAIN)]
    second = statistics.median(taken for taken, _ in again)
    lines = [
        ("first run", len(known), computed.computed, first),
        ("1 % new", len(files), computed_new.computed, new),
        (f"second run (median of {AGAIN})", len(files), again[0][1].computed, second),
    ]
    shown = [(*line[:3], f"{line[3]:.3f}", f"{first / line[3]:.0f}") for line in lines]
    show("MobileNetV2, one process", ("run", "photos", "computed", "seconds", "times as fast"), shown)
    figures: dict[str, Any] = {name: {"photos": n, "computed": c, "seconds": s} for name, n, c, s in lines}
    finish(chosen, {"runs": figures, "second_run_speedup": first / second})


if __name__ == "__main__":
    main()
