"""The learning curve rises as learning does, and its forecast holds."""

from itertools import pairwise

import numpy as np
import pytest

from icecore.errors import DataError
from icecore.evaluation import learning_curve
from icecore.heads import make


def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    y = rng.integers(0, 3, n)
    return (rng.normal(size=(n, 40)) + 0.45 * np.random.default_rng(7).normal(size=(3, 40))[y]).astype(np.float32), y


def head(X, y, X_test):
    return make("ridge:alpha=0.1").fit(X, y, n_classes=3).predict_proba(X_test)


def test_the_forecast_of_twice_the_labels_holds():
    """In at least 85 of 100 data sets the accuracy with twice the labels lies in its interval; the curve rises."""
    rng = np.random.default_rng(0)
    X_new, y_new = sample(rng, 3000)
    held, widths = [], []
    for _ in range(40):
        X, y = sample(rng, 400)
        curve = learning_curve(lambda a, b, X=X, y=y: head(X[a], y[a], X[b]), y[:200], 3)
        truth = (head(X, y, X_new).argmax(1) == y_new).mean()
        held.append(curve.twice.low <= truth <= curve.twice.high)
        widths.append(curve.twice.high - curve.twice.low)
        assert curve.points[0].accuracy.value < curve.points[-1].accuracy.value
        assert curve.now.value <= curve.twice.value
    assert np.mean(held) >= 0.85
    assert np.mean(widths) < 0.2


def test_parts_lie_within_each_other_and_keep_groups_whole():
    """Every part of the training rows holds the part before it and whole groups; rows tested are never trained on."""
    groups = np.repeat(np.arange(100), 3)
    y = (np.arange(100) % 2)[groups]
    seen: dict[tuple[int, ...], list[np.ndarray]] = {}

    def fit_predict(train, test):
        assert not set(groups[train]) & set(groups[test])
        seen.setdefault(tuple(test), []).append(train)
        return np.eye(2)[y[test]]

    curve = learning_curve(fit_predict, y, 2, groups)
    for parts in seen.values():
        assert all(set(a) < set(b) for a, b in pairwise(parts))
    assert [point.rows for point in curve.points] == [24, 48, 84, 144, 240]
    assert curve.twice.value == 1.0
    assert str(curve) == f"twice the labels: {curve.twice.low:.3f} to 1.000 (now 1.000)"


def test_too_few_rows_are_told():
    """Three points need two rows a class in the third part."""
    with pytest.raises(DataError, match="12 items of 6 classes are too few for a learning curve"):
        learning_curve(lambda a, b: np.ones((len(b), 6)), np.arange(12) % 6, 6)
