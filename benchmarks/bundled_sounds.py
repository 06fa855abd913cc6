"""A linear probe on the bundled network for sounds, beside random weights, mel bands and the teacher of its features.

The probe is scikit-learn's logistic regression on standardised features of the layer `last`. Every fold of the data,
which the names of the files begin with, is scored by a probe on the others. ESC-10 took no part in the making of the
network.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/bundled_sounds.py` works from anywhere

from benchmarks.common import assets, finish, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import icecore

LEARNED = "icecore:audio-s"
TEACHER = "weights/tflite/yamnet_spectra_in.tflite"
FRONT = Path(__file__).parents[1] / "examples" / "yamnet" / "preprocess.json"


def by_fold(X: np.ndarray, y: np.ndarray, folds: np.ndarray) -> list[float]:
    """Accuracy on each fold."""
    scores = []
    for fold in np.unique(folds):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        test = folds == fold
        scores.append(float(model.fit(X[~test], y[~test]).score(X[test], y[test])))
    return scores


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    source = assets()
    if source is None:
        print("Set ICECORE_ASSETS.")
        return
    files = sorted((source / "data" / "esc10").glob("*/*.ogg"))
    y, folds = np.array([file.parent.name for file in files]), np.array([file.name[0] for file in files])
    if not chosen.full:
        kept = np.sort(np.concatenate([np.flatnonzero(y == label)[::3] for label in np.unique(y)]))
        files, y, folds = [files[i] for i in kept], y[kept], folds[kept]
    load = icecore.PretrainedModel.load
    learned = load(LEARNED, device="cpu")
    ways = {
        "mel bands": (learned, "input"),
        f"{LEARNED}@random": (load(f"{LEARNED}@random", device="cpu"), "last"),
        LEARNED: (learned, "last"),
        "teacher": (load(f"tflite:{source / TEACHER}", preprocess=FRONT, device="cpu"), "last"),
    }
    figures = {
        name: by_fold(net.extract_features(files, layers=layer)[layer].reshape(len(files), -1), y, folds)
        for name, (net, layer) in ways.items()
    }
    lines = [
        (name, f"{np.mean(scores):.3f}", *(f"{score:.3f}" for score in scores)) for name, scores in figures.items()
    ]
    show(f"ESC-10, {len(files)} clips", ("features", "accuracy", *(f"fold {fold}" for fold in np.unique(folds))), lines)
    finish(chosen, {"accuracy": figures})


if __name__ == "__main__":
    main()
