"""A linear probe on the bundled vectors of texts, beside the same with random vectors and words counted by TF-IDF.

The probe is scikit-learn's logistic regression (C = 20) on the layer `last`, ten texts a class of `train.csv`, mean of
several draws, scored on `test.csv`. The data, banking77, took no part in the making of the vectors.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/bundled_texts.py` works from anywhere

from benchmarks.common import assets, finish, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import icecore

TEN, PENALTY = 10, 20.0
LEARNED = "icecore:text-s"


def read(file: Path) -> tuple[list[str], np.ndarray]:
    """Texts and their classes."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return [row["text"] for row in rows], np.array([row["category"] for row in rows])


def probe(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, draws: int) -> list[float]:
    """Accuracy of each draw."""
    scores = []
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(y))
        chosen = np.concatenate([order[y[order] == label][:TEN] for label in np.unique(y)])
        model = LogisticRegression(C=PENALTY, max_iter=300).fit(X[chosen], y[chosen])
        scores.append(float(model.score(X_test, y_test)))
    return scores


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    source = assets()
    if source is None:
        print("Set ICECORE_ASSETS.")
        return
    (texts, y), (test_texts, y_test) = (
        read(source / "data" / "banking77" / f"{name}.csv") for name in ("train", "test")
    )
    draws = 3 if chosen.full else 1
    words = TfidfVectorizer(sublinear_tf=True).fit(texts)
    ways = {"words, TF-IDF": words.transform}
    for name in (f"{LEARNED}@random", LEARNED):
        net = icecore.PretrainedModel.load(name, device="cpu")
        ways[name] = lambda items, net=net: net.extract_features(items, progress=False)["last"]
    figures = {name: probe(way(texts), y, way(test_texts), y_test, draws) for name, way in ways.items()}
    lines = [
        (name, f"{np.mean(scores):.3f}", f"{min(scores):.3f} to {max(scores):.3f}") for name, scores in figures.items()
    ]
    show(f"banking77, {TEN} texts a class, {draws} draws", ("features", "accuracy", "range"), lines)
    finish(chosen, {"accuracy": figures})


if __name__ == "__main__":
    main()
