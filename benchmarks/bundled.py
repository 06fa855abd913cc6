"""Linear probes on the bundled backbone, beside raw pixels, random weights and the teacher of its features.

The probe is scikit-learn's logistic regression on standardised features of the layer `last`; its penalty is chosen on a
third of the training rows. `all`: every training row (given split, else a random fifth held out). `ten`: ten rows a
class, mean of several draws, scored on all others. The teacher sees the pictures at the same resolution. `gap` is the
share of the way from random weights to the teacher. None of the data took part in the making of the backbone.
Last, what a batch costs beside MobileNetV2 at 224 pixels.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/bundled.py` works from anywhere

from benchmarks.common import (  # pins threads, so before NumPy
    alternate,
    assets,
    finish,
    mobilenet_folder,
    options,
    ratio,
    show,
)

# isort: split
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import icecore

SIDE = 96
PENALTIES = (1e-3, 1e-2, 1e-1)
TEN = 10
RAW, RANDOM, BUNDLED, TEACHER = "raw pixels", "random weights", "vision-s", "teacher"


@dataclass(frozen=True)
class Labelled:
    """A data set: files, their classes, and which of them are given as training rows (None: no given split)."""

    files: list[Path]
    y: np.ndarray
    train: np.ndarray | None = None

    def thinned(self, most: int, seed: int = 0) -> Labelled:
        """At most so many rows of each class."""
        kept = np.sort(_of_each(self.y, most, seed))
        train = None if self.train is None else self.train[kept]
        return Labelled([self.files[i] for i in kept], self.y[kept], train)


def folders(root: Path) -> Labelled:
    """A folder of class folders, with or without `train/` and `test/`."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp"})
    split = [path.relative_to(root).parts[0] for path in files]
    train = np.array(split) == "train"
    return Labelled(files, np.array([path.parent.name for path in files]), train if train.any() else None)


def omniglot(archives: Path, into: Path) -> Labelled:
    """Characters of both archives, a class each; alphabets that are in both count once."""
    for archive in sorted(archives.glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                _, _, inner = name.partition("/")
                if name.endswith(".png"):
                    alphabet, character, file = inner.split("/")
                    target = into / f"{alphabet}-{character}" / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(opened.read(name))
    return folders(into)


def probe(X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int) -> float:
    """Accuracy on `test` of a logistic regression on `train`."""
    order = np.random.default_rng(seed).permutation(train)
    most, rest = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
    scores = [_accuracy(X, y, most, rest, C) for C in PENALTIES]
    return _accuracy(X, y, train, test, PENALTIES[int(np.argmax(scores))])


def _accuracy(X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, C: float) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=300, tol=1e-3))
    return float(model.fit(X[train], y[train]).score(X[test], y[test]))


def _of_each(y: np.ndarray, most: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(len(y))
    return np.concatenate([order[y[order] == label][:most] for label in np.unique(y)])


def _all(data: Labelled, X: np.ndarray) -> float:
    train = data.train
    if train is None:
        train = np.random.default_rng(1).permutation(len(data.y)) >= len(data.y) // 5
    return probe(X, data.y, np.flatnonzero(train), np.flatnonzero(~train), 0)


def _ten(data: Labelled, X: np.ndarray, draws: int) -> float:
    pool = np.arange(len(data.y)) if data.train is None else np.flatnonzero(data.train)
    scores = []
    for seed in range(draws):
        chosen = pool[_of_each(data.y[pool], TEN, seed)]
        left = np.setdiff1d(np.arange(len(data.y)), chosen) if data.train is None else np.flatnonzero(~data.train)
        scores.append(probe(X, data.y, chosen, left, seed))
    return float(np.mean(scores))


def arms(folder: Path, seeds: int) -> dict[str, list[Callable[[Labelled], np.ndarray]]]:
    """For each name one or more ways from a data set to features, whose accuracies are averaged."""

    def last(net: icecore.PretrainedModel, layer: str = "last", pooling: str = "mean") -> Any:
        return lambda data: net.extract_features(data.files, layers=layer, pooling=pooling)[layer].reshape(
            len(data.files), -1
        )

    bundled = icecore.PretrainedModel.load("icecore:vision-s", device="cpu")
    resized = {"resize": "shortest", "resize_size": SIDE, "crop": [SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}
    teacher = icecore.PretrainedModel.load(f"hf:{folder}", preprocess=resized, device="cpu")
    randoms = [icecore.PretrainedModel.load(f"icecore:vision-s@random-{seed}", device="cpu") for seed in range(seeds)]
    return {
        RAW: [last(bundled, "input", "thumbnail")],
        RANDOM: [last(net) for net in randoms],
        BUNDLED: [last(bundled)],
        TEACHER: [last(teacher)],
    }


def measure(data: Labelled, ways: dict[str, list[Any]], draws: int) -> dict[str, dict[str, float]]:
    """Accuracies by arm, with all rows and with ten a class, and the share of the gap that is closed."""
    found: dict[str, dict[str, float]] = {}
    for name, several in ways.items():
        matrices = [way(data) for way in several]
        found[name] = {
            "all": float(np.mean([_all(data, X) for X in matrices])),
            "ten": float(np.mean([_ten(data, X, draws) for X in matrices])),
        }
    low, high = found[RANDOM]["all"], found[TEACHER]["all"]
    found["gap"] = {"closed": (found[BUNDLED]["all"] - low) / (high - low)}
    return found


def cost(rounds: int, batch: int = 32) -> float:
    """Seconds of a batch at 96 pixels, in those of torchvision's MobileNetV2 at 224. Both in float32 by torch."""
    small = icecore.PretrainedModel.load("icecore:vision-s", device="cpu").backbone
    large = icecore.PretrainedModel.load("torchvision:mobilenet_v2@random", device="cpu").backbone
    sides = {
        name: partial(_pass, net.module, torch.rand(batch, 3, side, side))
        for name, net, side in (("ours", small, SIDE), ("theirs", large, 224))
    }
    alternate(sides, 1)  # warm up
    taken = alternate(sides, rounds)
    return 1 / ratio(taken["ours"], taken["theirs"])


def _pass(module: torch.nn.Module, images: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            module(images)

    return run


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    source = assets()
    if chosen.data is None and source is None:
        print("Name labelled photographs with --data, or set ICECORE_ASSETS.")
        return
    with ExitStack() as stack:
        folder = stack.enter_context(mobilenet_folder())
        if chosen.data is not None or source is None:
            sets = {chosen.data.name: folders(chosen.data)}
        else:
            made = Path(stack.enter_context(TemporaryDirectory()))
            sets = {name: folders(source / "data" / name) for name in ("trashnet", "cifar10_sample")}
            sets["omniglot"] = omniglot(source / "data" / "omniglot", made)
        if not chosen.full:
            sets = {name: data.thinned(most) for (name, data), most in zip(sets.items(), (60, 60, 14), strict=False)}
        ways = arms(folder, 3 if chosen.full else 1)
        figures = {}
        for name, data in sets.items():
            print(f"{name}: {len(data.files):,} files, {len(np.unique(data.y))} classes", flush=True)
            figures[name] = measure(data, ways, 5 if chosen.full else 2)
    names = (RAW, RANDOM, BUNDLED, TEACHER)
    lines = [
        (name, len(sets[name].files), rows, *(f"{found[arm][rows]:.3f}" for arm in names))
        + ((f"{found['gap']['closed']:.0%}",) if rows == "all" else ("",))
        for name, found in figures.items()
        for rows in ("all", "ten")
    ]
    show("accuracy of a linear probe at 96 px", ("data", "files", "rows", *names, "gap"), lines)
    costs = cost(15 if chosen.full else 5)
    print(f"\nA batch of 32 at {SIDE} px takes {costs:.2f} of the time of MobileNetV2's at 224 px.")
    finish(chosen, {"accuracy": figures, "cost": costs})


if __name__ == "__main__":
    main()
