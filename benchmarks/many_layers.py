"""Heads over many layers and an ensemble of what was tried, against the best single head and against the last layer.

TrashNet by MobileNetV2, features from one pass for each pooling. In each outer fold every side chooses (layer, head,
penalty, share of features, members of the ensemble) on the training rows alone, is fitted on these, and answers for the
others: no figure is of rows that took part in a choice. Differences are paired.

    python benchmarks/many_layers.py --full      2,527 photographs in five folds; some minutes after the passes
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/many_layers.py` works from anywhere

from benchmarks.common import (
    assets,
    finish,
    mobilenet_folder,
    options,
    photographs,
    show,
)  # pins threads, so before NumPy

# isort: split
import numpy as np

from icecore.api.options import columns_for
from icecore.backbones import load
from icecore.data import read
from icecore.evaluation import duplicate_groups, folds, paired_difference, wilson
from icecore.features import extract
from icecore.selection import Candidate, choose
from icecore.selection.candidates import take
from icecore.selection.versus import answer
from icecore.store import Store
from icecore.tasks import as_task

SEED = 0
AUTO, ENSEMBLE, LAST = "auto: best single head", "ensemble of what auto tried", "last layer, logistic"
Features = Mapping[str, np.ndarray]
# Which features a side chooses among, by their pooling, and by which heads.
SIDES: dict[str, tuple[str, str]] = {
    "head2toe, blocks": ("mean", "head2toe"),
    "head2toe, blocks in quarters": ("grid", "head2toe"),
    "svm-rbf": ("mean", "svm-rbf"),
    "logistic": ("mean", "logistic"),
}


class Data:
    """Features by pooling and layer, class codes and groups of photographs."""

    def __init__(self, network: str, files: list[Path], store: Store) -> None:
        net = load(network, device="cpu")
        dataset = read(files, y=[file.parent.name for file in files], labelled=True)
        self.features: dict[str, dict[str, np.ndarray]] = {}
        for pooling in ("mean", "grid"):
            found = extract(net, dataset, columns_for(net, "all", pooling), store=store)
            self.features[pooling] = {name: found.matrix(column) for name, column in found.named().items()}
        self.y = np.unique(next(iter(found.dataset.targets.values())).astype(str), return_inverse=True)[1]
        self.groups = duplicate_groups(found.origins)
        self.task = as_task(int(self.y.max()) + 1)


def in_fold(data: Data, train: np.ndarray, test: np.ndarray) -> dict[str, dict[str, Any]]:
    """What each side gets right, and the processor seconds of its choice and fit."""
    found = {LAST: _timed(lambda: _answer(data, "mean", Candidate("last", "logistic"), train, test))}
    choices = {}

    def auto() -> np.ndarray:
        choices["auto"] = choose(
            take(data.features["mean"], train), data.y[train], data.task, data.groups[train], ensemble=True
        )
        return _answer(data, "mean", choices["auto"].candidate, train, test)

    found[AUTO] = _timed(auto)
    picked = choices["auto"].ensemble
    found[ENSEMBLE] = _timed(lambda: _answer(data, "mean", picked, train, test)) if picked else found[AUTO]
    for name, (pooling, head) in SIDES.items():
        found[name] = _timed(lambda pooling=pooling, head=head: _chosen(data, pooling, head, train, test))
    print(", ".join(f"{name} {one['right'].mean():.3f}" for name, one in found.items()), flush=True)
    print(f"  {choices['auto'].candidate}; {picked}", flush=True)
    return found


def _chosen(data: Data, pooling: str, head: str, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    part = take(data.features[pooling], train)
    choice = choose(part, data.y[train], data.task, data.groups[train], heads=[head])
    return _answer(data, pooling, choice.candidate, train, test)


def _answer(data: Data, pooling: str, candidate: Candidate, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Which test rows are right, (m,)."""
    features = data.features[pooling]
    part, tested = take(features, train), take(features, test)
    said = answer(candidate, part, data.y[train], data.task, tested).said
    return np.asarray(said.argmax(axis=1) == data.y[test])


def _timed(work: Callable[[], np.ndarray]) -> dict[str, Any]:
    began = time.process_time()
    return {"right": work(), "seconds": time.process_time() - began}


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0])
    if assets() is None and chosen.data is None:
        print("This needs real photographs: set ICECORE_ASSETS, or give --data.")
        return
    most, n_splits = (1 << 30, 5) if chosen.full else (150, 2)
    with photographs(chosen.data, most) as files, mobilenet_folder() as folder, tempfile.TemporaryDirectory() as place:
        data = Data(f"hf:{folder}", files, Store(os.environ.get("ICECORE_STORE", place)))
    plan = folds(data.y, data.groups, n_splits=n_splits, seed=SEED)
    found = [in_fold(data, train, test) for train, test in plan]
    right = {name: np.concatenate([one[name]["right"] for one in found]).astype(float) for name in found[0]}
    groups = data.groups[np.concatenate([test for _, test in plan])]
    seconds = {name: sum(one[name]["seconds"] for one in found) for name in right}
    gains = {name: paired_difference(own, right[AUTO], groups) for name, own in right.items() if name != AUTO}
    show(
        f"Accuracy in {len(plan)} outer folds, {len(groups):,} photographs",
        ("side", "accuracy", "minus auto", "processor seconds, choice and fit"),
        [
            (name, wilson(own.mean(), len(own)), gains.get(name, ""), f"{seconds[name]:.1f}")
            for name, own in right.items()
        ],
    )
    print(f"  The seconds of {ENSEMBLE!r} are those of its fit; what it is picked from auto has tried.")
    figures = {
        name: {
            "accuracy": float(own.mean()),
            "seconds": seconds[name],
            "gain": None if name == AUTO else [gains[name].value, gains[name].low, gains[name].high],
        }
        for name, own in right.items()
    }
    finish(chosen, {"items": len(groups), "sides": figures})


if __name__ == "__main__":
    main()
