"""Wrong labels are found; right ones are left in peace."""

import numpy as np
import pytest

from icecore.evaluation import cross_validate, suspects
from icecore.heads import make


def flipped(y: np.ndarray, rng: np.random.Generator, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is replaced by another class, and which ones."""
    k = int(y.max()) + 1
    wrong = rng.permutation(len(y))[: round(share * len(y))]
    changed = y.copy()
    changed[wrong] = (y[wrong] + rng.integers(1, k, len(wrong))) % k
    return changed, wrong


def judged(X: np.ndarray, y: np.ndarray, wrong: np.ndarray, head: str = "logistic:C=1") -> tuple[float, float, float]:
    """Precision and recall of the suspects by a head's out-of-fold predictions, and the share of right corrections."""
    k = int(y.max()) + 1

    def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        return make(head).fit(X[train], y[train], n_classes=k).predict_proba(X[test])

    found = suspects(y, cross_validate(fit_predict, y, k).mean_proba)
    rows = {one.row for one in found}
    return len(rows & set(wrong.tolist())) / max(len(rows), 1), len(rows & set(wrong.tolist())) / len(wrong), len(rows)


@pytest.mark.parametrize(("classes", "distance"), [(2, 1.8), (5, 1.5), (10, 1.5)])
def test_flipped_labels_are_found(classes, distance):
    """Of 5 % labels flipped at random, at least 60 % are found, and at least 80 % of what is found is among them."""
    rng = np.random.default_rng(classes)
    y = np.arange(1500) % classes
    X = (rng.normal(size=(1500, 20)) + distance * rng.normal(size=(classes, 20))[y]).astype(np.float32)
    noisy, wrong = flipped(y, rng)
    precision, recall, _ = judged(X, noisy, wrong)
    assert precision >= 0.8
    assert recall >= 0.6


def test_clean_labels_and_labels_by_chance():
    """Where all labels are right next to nothing is suspected, and where they are drawn by lot nothing is claimed."""
    rng = np.random.default_rng(1)
    y = np.arange(1000) % 4
    X = (rng.normal(size=(1000, 20)) + 1.5 * rng.normal(size=(4, 20))[y]).astype(np.float32)
    assert judged(X, y, np.array([0]))[2] <= 10
    assert judged(rng.normal(size=(1000, 20)).astype(np.float32), y, np.array([0]))[2] <= 10


def test_the_likely_label_is_the_right_one_and_the_surest_come_first():
    """A suspect names the class that it more likely is; rows that are not scored are none."""
    y = np.array([0] * 10 + [1] * 10 + [2] * 10)
    proba = np.where(np.eye(3)[y] == 1, 0.9, 0.05)
    proba[0], proba[10], proba[20] = [0.01, 0.98, 0.01], [0.001, 0.002, 0.997], np.nan
    found = suspects(y, proba)
    assert [(one.row, one.given, one.likely) for one in found] == [(10, 1, 2), (0, 0, 1)]
    scored = np.ones(30, bool)
    scored[[10, 20]] = False
    assert [one.row for one in suspects(y, proba, scored)] == [0]
    assert suspects(y, np.full((30, 3), np.nan)) == []
