"""What fine-tuning gains on TrashNet with MobileNetV2: in paired folds, against two frozen models on the same rows.

The frozen ones are a logistic regression on the last layer and an RBF SVM on all blocks side by side, the best that
`icecore fit` finds there. All three are fitted on all rows of the other folds. The settings of the tuned network were
chosen on two folds of another division of the photographs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/tuned_accuracy.py` works from anywhere

import numpy as np

from benchmarks.common import assets, finish, mobilenet_folder, options, show
from icecore import PretrainedModel
from icecore.data import Dataset, read
from icecore.evaluation import Estimate, duplicate_groups, paired_difference, wilson
from icecore.features import Progress, Terminal
from icecore.heads import make
from icecore.prefix import Column, Cutter, blocks, columns_of
from icecore.store import Store
from icecore.training import TrainingSettings
from icecore.training.boundaries import prepare
from icecore.training.comparing import Part, plan
from icecore.training.loop import Task
from icecore.training.tuning import Stage, Tuner
from icecore.training.unfreezing import cuts_for

FROZEN = {"logistic on the last layer": "logistic", "svm-rbf on all blocks": "svm-rbf"}
TUNED = "fine-tuned"
SEED = 1  # of the folds; 0 is what the settings were chosen on


@dataclass(frozen=True)
class Trial:
    """What trains, and the features of the frozen models, (n, d) each."""

    tuner: Tuner
    frozen: Mapping[str, np.ndarray]


def settings(full: bool) -> TrainingSettings:
    """Those of the measurement, or of a small one."""
    return TrainingSettings(
        unfreeze=13, views=8 if full else 1, epochs=17 if full else 1, learning_rate=1e-3, layer_decay=0.9, mixup=0.0,
        train_norm=True, patience=0,
    )  # fmt: skip


def trial(
    weights: Path, data: Dataset, how: TrainingSettings, device: str, *, store: Store, progress: Progress
) -> Trial:
    """Extract what the frozen models read and the boundaries."""
    net = PretrainedModel.load(f"hf:{weights}", device=device).backbone
    cutter = Cutter(net)
    (cut,) = cuts_for(cutter, how.unfreeze, gradual=False)
    prepared = prepare(cutter, [cut.place], data, columns_of(net, "all"), how, store=store, progress=progress)
    features = prepared.features
    names, codes = np.unique(next(iter(features.dataset.targets.values())), return_inverse=True)
    task = Task([codes], [len(names)], duplicate_groups(features.origins))
    tuner = Tuner(cutter, [Stage(cut.suffix, prepared.examples[cut.place])], task, [make("logistic")], how)
    all_blocks = np.hstack([features.matrix(Column(name, "mean")) for name in blocks(net)])
    return Trial(tuner, dict(zip(FROZEN, (features.matrix("last"), all_blocks), strict=True)))


def in_fold(given: Trial, part: Part, number: int) -> dict[str, np.ndarray]:
    """Which rows of a fold each model has right."""
    (train, held, test), (codes,), (k,) = part, given.tuner.task.codes, given.tuner.task.classes
    seen, found = np.sort(np.concatenate([train, held])), dict[str, np.ndarray]()
    for name, X in given.frozen.items():
        head = make(FROZEN[name]).fit(X[seen], codes[seen], n_classes=k)
        found[name] = head.predict_proba(X[test]).argmax(1) == codes[test]
    tuned = given.tuner.tune(train, held, f"fold {number}")
    found[TUNED] = given.tuner.probabilities(tuned, test)[0].argmax(1) == codes[test]
    print(f"fold {number}: " + ", ".join(f"{name} {own.mean():.3f}" for name, own in found.items()), flush=True)
    return found


def report(
    chosen: Namespace,
    how: TrainingSettings,
    folds: Sequence[dict[str, np.ndarray]],
    groups: np.ndarray,
) -> None:
    """Print and write what came out; `groups` are those of the folds' rows, one fold after the other."""
    right = {name: np.concatenate([fold[name] for fold in folds]).astype(float) for name in folds[0]}
    gains: dict[str, Estimate] = {
        name: paired_difference(right[TUNED], right[name], groups) for name in right if name != TUNED
    }
    show(
        f"Accuracy in {len(folds)} paired folds, {len(groups):,} photographs, {how.epochs} epochs",
        ("model", "accuracy", "fine-tuned minus this"),
        [(name, wilson(own.mean(), len(own)), gains.get(name, "")) for name, own in right.items()],
    )
    finish(
        chosen,
        {
            "accuracy": {name: float(own.mean()) for name, own in right.items()},
            "folds": {name: [float(fold[name].mean()) for fold in folds] for name in right},
            "gains": {name: [gain.value, gain.low, gain.high] for name, gain in gains.items()},
        },
    )


def main() -> None:
    """Run and print."""
    chosen = options(__doc__ or "")
    folder = chosen.data or (assets() / "data" / "trashnet" if assets() else None)
    if folder is None:
        raise SystemExit("This needs ICECORE_ASSETS, or --data with class folders.")
    n_folds, most, how = (5, 1 << 30, settings(full=True)) if chosen.full else (2, 200, settings(full=False))
    with mobilenet_folder() as weights, tempfile.TemporaryDirectory() as place:
        data = read(folder, labelled=True)
        data = data.take(np.random.default_rng(0).permutation(len(data))[:most])
        store = Store(os.environ.get("ICECORE_STORE", place))
        given = trial(weights, data, how, chosen.device, store=store, progress=Terminal(every=60))
        parts = plan(given.tuner.task, None, n_folds, SEED)
        folds = [in_fold(given, part, number) for number, part in enumerate(parts, 1)]
    report(chosen, how, folds, given.tuner.task.groups[np.concatenate([test for _, _, test in parts])])


if __name__ == "__main__":
    main()
