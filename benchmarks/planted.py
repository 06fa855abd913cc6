"""Planted faults: which copies, wrong labels and inputs of another world are found, and what is called so wrongly.

On real data (ICECORE_ASSETS): TrashNet, a sample of CIFAR-10, banking77, ESC-10, under the bundled networks. These are
the figures that the thresholds of `icecore.evaluation` were chosen by.
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

from icecore import PretrainedModel
from icecore.evaluation import cross_validate, near_duplicates, outlier_scores, suspects
from icecore.heads import make

FLIPPED = 0.05
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
        wrong = [[name, *_wrong_labels(own)] for name, own in sets.items()]
        foreign = [["trashnet", "cifar10_sample", *_foreign(sets["trashnet"], sets["cifar10_sample"])]]
    show("near-duplicates that are there", ["data", "items", "joined"], joined)
    show("planted copies", ["data", "copies", "found"], copies)
    show("5 % wrong labels", ["data", "right on true labels", "precision", "recall"], wrong)
    show("called unlike the training data", ["data", "asked of", "of these", "of its own, unseen"], foreign)
    finish(chosen, {"joined": joined, "copies": copies, "wrong": wrong, "foreign": foreign})


class _Data:
    """One data set: inputs, class codes, features of `last`."""

    def __init__(self, name: str, full: bool, store: str) -> None:
        self.name = name
        self.inputs, labels = _inputs(name, 1 if full else 10)
        self.y = np.unique(labels, return_inverse=True)[1]
        self.net = PretrainedModel.load(
            {"banking77": "icecore:text-s", "esc10": "icecore:audio-s"}.get(name, "icecore:vision-s")
        )
        self.store = store
        self.X = self.features(self.inputs)

    def features(self, inputs: Sequence[Any]) -> np.ndarray:
        found = self.net.extract_features(list(inputs), layers="last", store=self.store, progress=False)["last"]
        return np.asarray(found, np.float32)

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


def _wrong_labels(data: _Data) -> list[str]:
    """How right the head is, and precision and recall of the suspects where a share of the labels is replaced."""
    k, n = int(data.y.max()) + 1, len(data.y)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(n)[: round(FLIPPED * n)]
    noisy = data.y.copy()
    noisy[wrong] = (noisy[wrong] + rng.integers(1, k, len(wrong))) % k

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        return make("lda").fit(data.X[train], noisy[train], n_classes=k).predict_proba(data.X[test])

    out = cross_validate(fit_predict, noisy, k)
    found = {one.row for one in suspects(noisy, out.mean_proba, out.tested)}
    hits = len(found & set(wrong.tolist()))
    right = (out.mean_proba[out.tested].argmax(1) == data.y[out.tested]).mean()
    return [f"{right:.2f}", f"{hits / max(1, len(found)):.2f}", f"{hits / len(wrong):.2f}"]


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
