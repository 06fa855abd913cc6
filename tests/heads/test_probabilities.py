"""Probabilities: the temperature is the likeliest one, and never changes which class is first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_wine

from icecore import heads
from icecore.heads.inner_folds import inner_folds
from icecore.heads.steps import Softmax
from icecore.heads.temperature import temperature

DECIDERS = ["ridge", "svm", "svm-rbf", "centroid", "lda", "logistic", "knn"]


def log_loss(proba, y):
    return -np.log(np.maximum(proba[np.arange(len(y)), y], 1e-12)).mean()


@given(scale=st.floats(0.05, 20), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_the_temperature_undoes_a_scale(scale, seed):
    """Classes drawn from a softmax, its logits multiplied by s: the temperature found is about s."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(2000, 3)) * 2
    proba = Softmax()(logits)
    y = (rng.random((2000, 1)) > proba.cumsum(axis=1)[:, :-1]).sum(axis=1)
    assert temperature(logits * scale, y) == pytest.approx(scale, rel=0.2)


@given(n=st.integers(2, 40), k=st.integers(2, 5), seed=st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_the_temperature_is_positive_and_finite(n, k, seed):
    """Also with absent classes, rows without values, and decisions that are all right or all wrong."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    decisions = rng.normal(size=(n, k)) + rng.choice([-50, 0, 50]) * (y[:, None] == np.arange(k))
    decisions[rng.random((n, k)) < 0.2] = -np.inf
    decisions[rng.random(n) < 0.2] = np.nan
    assert 0 < temperature(decisions, y) < np.inf


def test_without_decisions_the_temperature_is_one():
    """Nothing to fit it on, or decisions that are all the same."""
    assert temperature(np.full((3, 2), np.nan), np.array([0, 1, 0])) == 1.0
    assert temperature(np.zeros((3, 2)), np.array([0, 1, 0])) == 1.0


@pytest.mark.parametrize("name", DECIDERS)
def test_the_first_class_is_that_of_the_decision(name):
    """argmax of the probabilities is argmax of the decision values (digits)."""
    X, y = load_digits(return_X_y=True)
    train, test = np.arange(400), np.arange(400, 600)
    decisions = heads.sweep(name, X, y, 10, [None], [(train, test)])[0, test]
    proba = heads.make(name).fit(X[train], y[train], n_classes=10).predict_proba(X[test])
    assert (proba.argmax(axis=1) == decisions.argmax(axis=1)).mean() >= 0.995


@pytest.mark.parametrize("name", [*DECIDERS, "mlp"])
def test_probabilities_tell_more_than_the_class(name):
    """On new rows of real data (digits) the log loss is far under that of not knowing, and accuracy is good."""
    X, y = load_digits(return_X_y=True)
    proba = heads.make(name).fit(X[:900], y[:900], n_classes=10).predict_proba(X[900:])
    assert (proba.argmax(axis=1) == y[900:]).mean() > 0.87
    assert log_loss(proba, y[900:]) < 0.55


@pytest.mark.parametrize("name", ["ridge", "svm-rbf", "lda"])
def test_rows_that_are_there_twice_do_not_make_a_head_sure(name):
    """Copies of a row are on one side of the inner folds, so that the temperature is about that of single rows."""
    X, y = load_wine(return_X_y=True)
    X = X + np.random.default_rng(0).normal(size=X.shape) * X.std(axis=0) * 2
    rows = np.random.default_rng(1).permutation(len(y))
    single = heads.make(name).fit(X[rows[:90]], y[rows[:90]], n_classes=3).predict_proba(X[rows[90:]])
    thrice = np.tile(rows[:90], 3)
    copied = heads.make(name).fit(X[thrice], y[thrice], n_classes=3).predict_proba(X[rows[90:]])
    assert copied.max(axis=1).mean() == pytest.approx(single.max(axis=1).mean(), abs=0.1)


@given(n=st.integers(2, 40), k=st.integers(2, 6), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_inner_folds_are_fair(n, k, seed):
    """Equal rows share a side, no class with two different rows is missing from training, every other row is tested."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 8, (n, 1)).astype(np.float32)
    y = (X[:, 0] % k).astype(int)  # equal rows have equal classes
    codes = np.unique(y, return_inverse=True)[1]
    tested = np.zeros(n, dtype=int)
    for train, test in inner_folds(X, codes, seed):
        assert not set(X[train, 0]) & set(X[test, 0])
        assert set(codes[train]) == set(codes)
        tested[test] += 1
    alone = np.array([len(set(X[codes == c, 0])) == 1 for c in codes])
    np.testing.assert_array_equal(tested, np.where(alone, 0, 1))
