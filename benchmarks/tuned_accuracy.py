"""What fine-tuning gains on TrashNet with MobileNetV2: in paired folds, against two frozen models on the same rows.

The frozen ones are a logistic regression on the last layer and an RBF SVM on all blocks side by side, the best that
`icecore fit` finds there. The tuned network has its last six blocks trained from stored boundaries of four views.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/tuned_accuracy.py` works from anywhere

import numpy as np

from benchmarks.common import assets, finish, mobilenet_folder, options, show
from icecore import PretrainedModel
from icecore.data import read
from icecore.evaluation import Estimate, duplicate_groups, paired_difference, wilson
from icecore.features import Terminal
from icecore.heads import make
from icecore.prefix import Column, Cutter, blocks, columns_of
from icecore.store import Store
from icecore.training import TrainingSettings
from icecore.training.boundaries import prepare
from icecore.training.comparing import plan
from icecore.training.loop import Task
from icecore.training.tuning import Stage, Tuner
from icecore.training.unfreezing import cuts_for

FROZEN = {"logistic on the last layer": "logistic", "svm-rbf on all blocks": "svm-rbf"}
TUNED = "fine-tuned"


def right_answers(
    tuner: Tuner, frozen: dict[str, np.ndarray], n_folds: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Which rows each model has right, and which rows they are."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*frozen, TUNED)}
    (codes,), (k,), tested = tuner.task.codes, tuner.task.classes, []
    for number, (train, held, test) in enumerate(plan(tuner.task, None, n_folds, 0)):
        tuned = tuner.tune(train, held, f"fold {number + 1}")
        (proba,) = tuner.probabilities(tuned, test)
        found[TUNED].append(proba.argmax(1) == codes[test])
        seen = np.sort(np.concatenate([train, held]))
        for name, X in frozen.items():
            head = make(FROZEN[name]).fit(X[seen], codes[seen], n_classes=k)
            found[name].append(head.predict_proba(X[test]).argmax(1) == codes[test])
        tested.append(test)
        print(
            f"fold {number + 1}: " + ", ".join(f"{name} {own[-1].mean():.3f}" for name, own in found.items()),
            flush=True,
        )
    return {name: np.concatenate(own).astype(float) for name, own in found.items()}, np.concatenate(tested)


def main() -> None:
    """Run and print."""
    chosen = options(__doc__ or "")
    folder = chosen.data or (assets() / "data" / "trashnet" if assets() else None)
    if folder is None:
        raise SystemExit("This needs ICECORE_ASSETS, or --data with class folders.")
    n_folds, epochs, most = (5, 10, 1 << 30) if chosen.full else (2, 1, 200)
    settings = TrainingSettings(
        unfreeze=6, views=4 if chosen.full else 1, epochs=epochs, patience=0, batch_size=16, learning_rate=1e-3,
        train_norm=True,
    )  # fmt: skip
    with mobilenet_folder() as weights, tempfile.TemporaryDirectory() as place:
        net = PretrainedModel.load(f"hf:{weights}", device="cpu").backbone
        data = read(folder, labelled=True)
        data = data.take(np.random.default_rng(0).permutation(len(data))[:most])
        cutter, store = Cutter(net), Store(os.environ.get("ICECORE_STORE", place))
        (cut,) = cuts_for(cutter, settings.unfreeze, gradual=False)
        prepared = prepare(
            cutter, [cut.place], data, columns_of(net, "all"), settings, store=store, progress=Terminal(every=60)
        )
        features = prepared.features
        names, codes = np.unique(next(iter(features.dataset.targets.values())), return_inverse=True)
        task = Task([codes], [len(names)], duplicate_groups(features.origins))
        tuner = Tuner(cutter, [Stage(cut.suffix, prepared.examples[cut.place])], task, [make("logistic")], settings)
        all_blocks = np.hstack([features.matrix(Column(name, "mean")) for name in blocks(net)])
        frozen = dict(zip(FROZEN, (features.matrix("last"), all_blocks), strict=True))
        right, rows = right_answers(tuner, frozen, n_folds)
    groups = task.groups[rows]
    gains: dict[str, Estimate] = {name: paired_difference(right[TUNED], right[name], groups) for name in frozen}
    show(
        f"Accuracy in {n_folds} paired folds, {len(rows):,} photographs, {epochs} epochs",
        ("model", "accuracy", "fine-tuned minus this"),
        [(name, wilson(own.mean(), len(own)), gains.get(name, "")) for name, own in right.items()],
    )
    finish(
        chosen,
        {
            "accuracy": {name: float(own.mean()) for name, own in right.items()},
            "gains": {name: [gain.value, gain.low, gain.high] for name, gain in gains.items()},
        },
    )


if __name__ == "__main__":
    main()
