"""Does `icecore rank` find, at a tenth of the cost, the order that full cross-validated probes give?

Five networks each on four data sets: TrashNet and a sample of CIFAR-10 for images, banking77 and film reviews for
texts, at most 4,000 items of each. The full side extracts all layers of all items and cross-validates the whole choice
of layer, head and penalty anew in every outer fold (`icecore.selection.nested`, with the quick heads: nearest centroid,
ridge, lda, k-NN). The cheap side is `icecore.rank` with a tenth of the seconds that the full side took as its budget.
Networks are loaded before either is timed, anew for each side; each begins with an empty store.

Agreement is the weighted Kendall tau (Vigna 2015, as in SciPy: hyperbolic weights, the top counts most) between the
order of the ranking and the accuracies of the full side; `with ties` between the ranks of both, where those that cannot
be told apart share one. Both are means over five orders of the items, as is the cost. Beside them stands the same of
the scores that `rank` shows.

    python benchmarks/ranking.py --full --only trashnet --json benchmarks/results/ranking.json

runs one data set, and goes on with what the file holds of the others.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/ranking.py` works from anywhere

from benchmarks.common import assets, finish, kept, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np
from scipy.stats import weightedtau
from threadpoolctl import threadpool_limits

import icecore
from benchmarks.sides.networks import minilm
from icecore.api import as_json
from icecore.evaluation import duplicate_groups
from icecore.selection import Heat, nested, standings

ROOT = Path(__file__).parents[1]
PROBES = ("centroid", "ridge", "lda", "knn")  # of the full side; `rank` leaves out lda
SEEDS = range(5)  # orders of the items, each of which `rank` sees another part of
BUDGET = 0.1  # of the seconds of the full side
SMALL, MOST = 240, 4000  # items; `rank` looks at no more, nor does a choice that `fit` makes
SCORES = ("knn", "centroid", "logme", "h_score")
CIFAR = {"resize": "exact", "resize_size": 32, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@dataclass(frozen=True)
class Labelled:
    """Inputs and their classes."""

    items: Sequence[Any]
    y: np.ndarray

    def thinned(self, most: int) -> Labelled:
        """At most so many, spread evenly."""
        at = np.linspace(0, len(self.y) - 1, min(most, len(self.y))).astype(int)
        return Labelled([self.items[i] for i in at], self.y[at])


def folders(root: Path) -> Labelled:
    """Pictures in class folders, wherever these are."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return Labelled(files, np.array([path.parent.name for path in files]))


def banking(root: Path) -> Labelled:
    """Questions and what they are about, 77 classes."""
    with (root / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["category"])
    return Labelled([row["text"] for row in rows], np.array([row["category"] for row in rows]))


def reviews(root: Path) -> Labelled:
    """Sentences of film reviews, positive or negative."""
    texts, y = list[str](), list[str]()
    with zipfile.ZipFile(root / "reviews" / "sentence_polarity.zip") as opened:
        for side in ("neg", "pos"):
            lines = opened.read(f"sentence_polarity/rt-polarity.{side}").decode("latin-1").splitlines()
            texts += [line.strip() for line in lines]
            y += [side] * len(lines)
    return Labelled(texts, np.array(y))


DATA: dict[str, tuple[str, Callable[[Path], Labelled]]] = {
    "trashnet": ("image", lambda root: folders(root / "trashnet")),
    "cifar10": ("image", lambda root: folders(root / "cifar10_sample")),
    "banking77": ("text", banking),
    "reviews": ("text", reviews),
}


def networks(modality: str, weights: Path) -> list[icecore.PretrainedModel]:
    """Five of a modality: those of the assets, the bundled one, and that with random weights."""
    load = icecore.PretrainedModel.load
    if modality == "text":
        ids = ("icecore:text-s", "icecore:text-s@random", f"static:{weights / 'model2vec_static'}")
        return [load(name, device="cpu") for name in (*ids, f"hf:{weights / 'stories260k_hf'}", f"hf:{minilm()}")]
    resnet20 = weights / "resnet20_cifar10" / "resnet20-12fca82f.th"
    ids = (
        "icecore:vision-s",
        "icecore:vision-s@random",
        f"hf:{weights / 'mobilenet_v2_hf'}",
        f"tflite:{weights / 'tflite' / 'mobilenet_v1_0.25_128_quant.tflite'}",
    )
    own = load(f"torch:tests.backbones.networks:resnet20?weights={resnet20}", preprocess=CIFAR, device="cpu")
    return [*(load(name, device="cpu") for name in ids), own]


@dataclass(frozen=True)
class Timed:
    """What a side found, and how long it took."""

    found: Any
    seconds: float


def full(nets: Sequence[icecore.PretrainedModel], data: Labelled) -> Timed:
    """Accuracy of each network, and whether each row is right, by the whole procedure in every outer fold."""
    began, found = time.perf_counter(), {}
    codes = np.unique(data.y, return_inverse=True)[1]
    with tempfile.TemporaryDirectory() as store:
        for net in nets:
            at = time.perf_counter()
            features = net.extract_features(data.items, layers="all", store=store, progress=False)
            matrices = {name: features.matrix(column) for name, column in features.named().items()}
            with threadpool_limits(1, user_api="blas"):  # as `rank` and `fit` do
                probed = nested(matrices, codes, codes.max() + 1, duplicate_groups(features.origins), heads=PROBES)
            out = probed.out_of_fold
            found[net.id] = (probed.metrics()["accuracy"], out.mean_proba.argmax(axis=1) == out.y)
            print(f"  full: {net.id}: {found[net.id][0]}, {probed.choice.candidate}, {time.perf_counter() - at:.1f} s")
    return Timed(found, time.perf_counter() - began)


def cheap(nets: Sequence[icecore.PretrainedModel], data: Labelled, budget: float, seed: int = 0) -> Timed:
    """What `rank` says within a budget, in seconds."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as store:
        found = icecore.rank(data.items, nets, data.y.tolist(), budget=budget, seed=seed, store=store, progress=False)
    return Timed(found, time.perf_counter() - began)


def compared(data: str, weights: Path, root: Path, *, whole: bool) -> dict[str, Any]:
    """Both sides on one data set."""
    modality, read = DATA[data]
    labelled = read(root).thinned(MOST if whole else SMALL)
    more = full(_ready(modality, weights, labelled), labelled)
    heat = Heat({name: right for name, (_, right) in more.found.items()}, np.arange(len(labelled.y)))
    places_in_full = {one.name: one.rank for one in standings([heat])}
    orders, runs = [], []
    for seed in SEEDS:
        less = cheap(_ready(modality, weights, labelled), labelled, BUDGET * more.seconds, seed)
        orders.append(_agreement(less.found, more.found, places_in_full) | {"share": less.seconds / more.seconds})
        runs.append(less)
        print(f"  order {seed}: {orders[-1]}, {less.found.done}")
    ranking = runs[0].found
    return {
        "items": len(labelled.y),
        "classes": len(set(labelled.y.tolist())),
        **{name: float(np.mean([one[name] for one in orders])) for name in ("tau", "tau_with_ties", "share")},
        "tau_of_scores": {name: float(np.mean([one["scores"][name] for one in orders])) for name in SCORES},
        "orders": orders,
        "seconds": {"rank": float(np.mean([one.seconds for one in runs])), "full": more.seconds},
        "done": ranking.done,
        "heats": [
            {"items": heat.items, "backbones": [_short(name) for name in heat.backbones], "seconds": heat.seconds}
            for heat in ranking.heats
        ],
        "networks": {
            _short(one.backbone): {
                "rank": one.rank,
                "items": one.items,
                "accuracy": as_json(one.score),
                "full_accuracy": as_json(more.found[one.backbone][0]),
                "full_rank": places_in_full[one.backbone],
            }
            for one in ranking.backbones
        },
    }


def _agreement(ranking: Any, found: dict[str, Any], places_in_full: dict[str, int]) -> dict[str, Any]:
    """How well a ranking agrees with the accuracies and places of the full side."""
    names = [one.backbone for one in ranking.backbones]
    truth = [found[name][0].value for name in names]
    ranks = [-one.rank for one in ranking.backbones]
    scores = {score: [getattr(one, score).value for one in ranking.backbones] for score in SCORES}
    return {
        "tau": float(weightedtau(-np.arange(len(names)), truth).statistic),
        "tau_with_ties": float(weightedtau(ranks, [-places_in_full[name] for name in names]).statistic),
        "scores": {score: float(weightedtau(values, truth).statistic) for score, values in scores.items()},
    }


def _ready(modality: str, weights: Path, data: Labelled) -> list[icecore.PretrainedModel]:
    """Networks that were run once, so that libraries are imported before a side begins; no engine is made yet."""
    found = networks(modality, weights)
    for net in found:
        with tempfile.TemporaryDirectory() as store:
            net.extract_features(data.items[:2], layers="all", store=store, progress=False)
    return found


def _short(name: str) -> str:
    """An id without the folders of this machine."""
    provider, _, rest = name.partition(":")
    plain = rest.partition("?")[0] if provider == "torch" else rest
    last = plain.rpartition("/")[2]
    return f"{provider}:{'all-MiniLM-L6-v2' if last == 'model' else last}"


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0], only=tuple(DATA))
    source = assets()
    if source is None:
        print("This needs real data and weights: set ICECORE_ASSETS.")
        return
    found = kept(chosen, "data")
    for data in chosen.only or DATA:
        found[data] = compared(data, source / "weights", source / "data", whole=chosen.full)
        one = found[data]
        lines = [
            (
                name,
                net["rank"],
                net["items"],
                f"{net['accuracy']['value']:.3f}",
                f"{net['full_accuracy']['value']:.3f}",
                net["full_rank"],
            )
            for name, net in one["networks"].items()
        ]
        show(f"{data}, {one['items']:,} items", ("network", "rank", "on items", "accuracy", "in full", "rank"), lines)
        print(f"  {one['done']}")
    lines = [
        (name, f"{one['tau']:.3f}", f"{one['tau_with_ties']:.3f}", f"{one['share']:.3f}",
         f"{one['seconds']['full']:.0f} s", *(f"{one['tau_of_scores'][score]:.2f}" for score in SCORES))
        for name, one in found.items()
    ]  # fmt: skip
    show("Weighted Kendall tau", ("data", "rank", "with ties", "cost", "of", *SCORES), lines)
    finish(chosen, {"budget": BUDGET, "data": found})


if __name__ == "__main__":
    main()
