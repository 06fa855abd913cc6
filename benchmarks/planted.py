"""Planted faults: which copies, wrong labels and inputs of another world are found, and what is called so wrongly.

On real data (ICECORE_ASSETS): TrashNet, a sample of CIFAR-10, banking77, ESC-10, under the bundled networks. These are
mostly the figures that the thresholds of `icecore.evaluation` were chosen by; its docstrings
tell those of others. TrashNet is there under MobileNetV2 as well, with its blocks side by side.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/planted.py` works from anywhere

from benchmarks.common import assets, finish, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np
from PIL import Image, ImageEnhance
from sklearn.metrics import roc_auc_score

from icecore import PretrainedModel
from icecore.evaluation import near_duplicates, outlier_scores, outlying_class, suspects
from icecore.selection import opinions

FLIPPED = 0.05
MOBILENET = ("mobilenet_v2_hf", [8, 12, 15])
COPIED = 100


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0])
    if assets() is None:
        print("This needs real data: set ICECORE_ASSETS.")
        return
    with tempfile.TemporaryDirectory() as store:
        sets = {name: _Data(name, chosen.full, store) for name in ("trashnet", "cifar10_sample", "banking77", "esc10")}
        copies = [line for name in ("trashnet", "cifar10_sample") for line in _copies(sets[name])]
        joined = [[name, f"{len(own.y):,}", str(own.joined())] for name, own in sets.items()]
        judged = sets | {"trashnet, MobileNetV2": _Data("trashnet", chosen.full, store, network=MOBILENET)}
        wrong = [[name, *_wrong_labels(own, 3 if chosen.full else 1)] for name, own in judged.items()]
        left = [[name, *_left_out(own)] for name, own in judged.items()]
        two = ("trashnet", "cifar10_sample")
        apart = [[a, b, *_apart(sets[a], sets[b])] for a, b in (two, two[::-1])]
        foreign = [["trashnet", "cifar10_sample", *_foreign(sets["trashnet"], sets["cifar10_sample"])]]
    show("near-duplicates that are there", ["data", "items", "joined"], joined)
    show("planted copies", ["data", "copies", "found"], copies)
    show("5 % wrong labels", ["data", "right on true labels", "precision", "recall"], wrong)
    show("a class left out", ["data", "area under the curve"], left)
    show("a class of another world", ["data", "classes of", "named", "named without"], apart)
    show("called unlike the training data", ["data", "asked of", "of these", "of its own, unseen"], foreign)
    finish(
        chosen,
        {"joined": joined, "copies": copies, "wrong": wrong, "left_out": left, "apart": apart, "foreign": foreign},
    )


class _Data:
    """One data set: inputs, class codes, features of the bundled network's `last`, or of layers of another network."""

    def __init__(self, name: str, full: bool, store: str, network: tuple[str, list[int]] | None = None) -> None:
        self.name = name
        self.inputs, labels = _inputs(name, 1 if full else 10)
        self.y = np.unique(labels, return_inverse=True)[1]
        bundled = {"banking77": "icecore:text-s", "esc10": "icecore:audio-s"}.get(name, "icecore:vision-s")
        self.layers: Any = "last" if network is None else network[1]
        self.net = PretrainedModel.load(bundled if network is None else f"hf:{assets()}/weights/{network[0]}")
        self.store = store
        self.X = self.features(self.inputs)

    def features(self, inputs: Sequence[Any]) -> np.ndarray:
        found = self.net.extract_features(list(inputs), layers=self.layers, store=self.store, progress=False)
        return np.concatenate([np.asarray(found[layer], np.float32) for layer in found.layers], axis=1)

    def joined(self) -> int:
        groups = near_duplicates(self.X, self.y)
        return int((np.bincount(groups)[groups] > 1).sum())


def _inputs(name: str, step: int) -> tuple[list[Any], list[str]]:
    data = assets() / "data" / name  # type: ignore[operator]  # main has looked
    if name == "banking77":
        with (data / "train.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:: max(step, 3)]
        return [row["text"] for row in rows], [row["category"] for row in rows]
    step = 1 if name == "esc10" else step
    files = sorted(path for path in data.rglob("*") if path.suffix in {".jpg", ".ogg"})[::step]
    return [str(path) for path in files], [path.parent.name for path in files]


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 60": lambda image: _saved(image, 60),
    "70 % of the size": lambda image: image.resize([max(8, 7 * side // 10) for side in image.size]),  # type: ignore[arg-type]
    "cropped by 6 %": lambda image: image.crop(
        [round(f * s) for f, s in zip((0.03, 0.03, 0.97, 0.97), image.size * 2, strict=True)]
    ),  # type: ignore[arg-type]
    "10 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


def _saved(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content).convert("RGB")


def _copies(data: _Data) -> list[list[str]]:
    """Of copies that were put beside their originals the share that is joined with them."""
    rows = np.random.default_rng(0).permutation(len(data.y))[:COPIED]
    lines = []
    for name, change in CHANGES.items():
        changed = [np.asarray(change(Image.open(data.inputs[row]).convert("RGB"))) for row in rows]
        X = np.concatenate([data.X, data.features(changed)])
        groups = near_duplicates(X, np.concatenate([data.y, data.y[rows]]))
        lines.append([data.name, name, f"{(groups[len(data.y) :] == groups[rows]).mean():.2f}"])
    return lines


def _wrong_labels(data: _Data, draws: int) -> list[str]:
    """How right the mean of the heads is, and precision and recall of the suspects where a share of labels is replaced,
    over several draws of which.
    """
    k, n = int(data.y.max()) + 1, len(data.y)
    counts, right = np.zeros(3), []
    for seed in range(100, 100 + draws):
        rng = np.random.default_rng(seed)
        wrong = rng.permutation(n)[: round(FLIPPED * n)]
        noisy = data.y.copy()
        noisy[wrong] = (noisy[wrong] + rng.integers(1, k, len(wrong))) % k
        said = opinions(data.X, noisy, k)
        assert said is not None
        found = {one.row for one in suspects(noisy, said)}
        counts += len(found & set(wrong.tolist())), len(found), len(wrong)
        right.append((said.argmax(1) == data.y).mean())
    return [f"{np.mean(right):.2f}", f"{counts[0] / max(1, counts[1]):.2f}", f"{counts[0] / counts[2]:.2f}"]


def _left_out(data: _Data) -> list[str]:
    """The mean area under the curve by which items of a class that was left out are told from new ones of the others;
    and how the class is named where it is there and is another data set's.
    """
    areas = []
    for code in np.random.default_rng(0).permutation(int(data.y.max()) + 1)[:5]:
        rest = np.random.default_rng([0, code]).permutation(np.flatnonzero(data.y != code))[:2000]
        known, new = np.split(rest, [3 * len(rest) // 4])
        asked = np.concatenate([data.X[new], data.X[data.y == code]])
        scores, _ = outlier_scores(data.X[known], data.y[known], asked)
        areas.append(roc_auc_score(np.arange(len(asked)) >= len(new), scores))
    return [f"{np.mean(areas):.2f}"]


def _apart(own: _Data, other: _Data) -> list[str]:
    """How often a class of another data set that was put among the classes is named, and whether one is without."""
    k = int(own.y.max()) + 1
    named = 0
    for code in range(int(other.y.max()) + 1):
        odd = other.X[other.y == code][: len(own.y) // k]
        found = outlying_class(np.concatenate([own.X, odd]), np.concatenate([own.y, np.full(len(odd), k)]))
        named += found is not None and found.code == k
    return [f"{named} of {int(other.y.max()) + 1}", "none" if outlying_class(own.X, own.y) is None else "one"]


def _foreign(own: _Data, other: _Data) -> list[str]:
    """Which share of another data set, and of unseen items of its own, is called unlike the training data."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(own.y))
    known, new = rows[: 3 * len(rows) // 4], rows[3 * len(rows) // 4 :]
    _, p = outlier_scores(own.X[known], own.y[known], np.concatenate([other.X, own.X[new]]))
    unlike = p <= 0.01
    return [f"{unlike[: len(other.y)].mean():.2f}", f"{unlike[len(other.y) :].mean():.2f}"]


if __name__ == "__main__":
    main()
