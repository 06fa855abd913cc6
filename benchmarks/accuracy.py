"""Accuracy of a linear probe on features of real networks: float32, bfloat16, and those of a peer's own loop.

TrashNet by MobileNetV2, banking77 by MiniLM, ESC-10 by the bundled network for sounds (which no peer runs). The probe
is a logistic regression on standardised features, with the same rows for all sides; the difference is paired.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/accuracy.py` works from anywhere

from benchmarks.common import assets, finish, mobilenet_folder, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np

from benchmarks.sides.inputs import Inputs, inputs_of
from benchmarks.sides.loops import Peer
from benchmarks.sides.networks import minilm
from benchmarks.sides.peers import text_loop, vision_loop
from benchmarks.sides.probes import FOLDS, Probe, worth
from icecore import PretrainedModel

FLOAT32, BFLOAT16 = "icecore, float32", "icecore, bfloat16"


@dataclass(frozen=True)
class Task:
    """Labelled inputs and a network for them."""

    data: str
    id: str
    inputs: Inputs
    peer: Peer | None
    folds: int

    def sides(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Features by side, and what was said of the engines."""
        found: dict[str, np.ndarray] = {}
        engines: dict[str, Any] = {}
        for name, precision in ((FLOAT32, "float32"), (BFLOAT16, "bfloat16")):
            net = PretrainedModel.load(self.id, device="cpu", precision=precision)
            with tempfile.TemporaryDirectory() as store:
                features = net.extract_features(self.inputs.items, store=store, progress=False)
                found[name], engines[name] = features["last"], list(features.report.engines)
        if self.peer:
            found[self.peer.name] = self.peer.work(self.inputs.items, 0, self.peer.batch_size)
        return found, engines


def tasks(place: Path, folder: Path, full: bool) -> Iterator[Task]:
    """The three data sets, whole or thinned."""
    most = (2527, 10_003, 240) if full else (120, 400, 60)
    photographs, texts, sounds = (
        inputs_of(modality, place / modality, n) for modality, n in zip(("image", "text", "sound"), most, strict=True)
    )
    yield Task("TrashNet, MobileNetV2", f"hf:{folder}", photographs, vision_loop(folder), FOLDS)
    yield Task("banking77, MiniLM", f"hf:{minilm()}", texts, text_loop(minilm()), 1)
    yield Task("ESC-10, audio-s", "icecore:audio-s", sounds, None, FOLDS)


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0])
    if assets() is None:
        print("This needs real data: set ICECORE_ASSETS.")
        return
    figures: dict[str, Any] = {}
    lines = []
    with tempfile.TemporaryDirectory() as place, mobilenet_folder() as folder:
        for task in tasks(Path(place), folder, chosen.full):
            found, engines = task.sides()
            reference = task.peer.name if task.peer else FLOAT32
            worths = worth(Probe(task.inputs.labels, task.folds), found, reference)
            figures[task.data] = {name: one.json() for name, one in worths.items()} | {"engines": engines}
            lines += [
                (task.data, name, one.accuracy, "" if name == reference else one.difference)
                for name, one in worths.items()
            ]
    show("Accuracy of a linear probe", ("data", "features", "accuracy", "minus the reference"), lines)
    finish(chosen, {"tasks": figures})


if __name__ == "__main__":
    main()
