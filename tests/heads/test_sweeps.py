"""A sweep gives what fitting every fold and penalty by itself gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from icecore import heads
from icecore.heads.steps import Softmax
from icecore.testing.heads import example

FOLDS = [
    (np.arange(20, 60), np.arange(20)),
    (np.r_[0:20, 40:60], np.arange(20, 40)),
    (np.arange(40), np.arange(40, 60)),
]
WITH_A_GRID = ["ridge", "logistic", "lda", "svm", "knn", "svm-rbf"]


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("name", [*WITH_A_GRID, "centroid"])
def test_a_sweep_decides_like_single_fits(name, class_weight):
    """For each penalty and fold the likeliest class is that of a head fitted on the fold with that penalty."""
    X, y = example(d=5)
    X = X + np.random.default_rng(1).normal(size=X.shape).astype(np.float32) * 3
    grid = heads.penalties(name)
    values = heads.sweep(name, X, y, 3, grid, FOLDS, class_weight=class_weight)
    assert values.shape == (len(grid), 60, 3)
    for penalty, decisions in zip(grid, values, strict=True):
        for train, test in FOLDS:
            head = heads.make(name, penalty=penalty, class_weight=class_weight).fit(X[train], y[train], n_classes=3)
            assert (head.predict_proba(X[test]).argmax(1) == decisions[test].argmax(1)).mean() >= 0.95


@pytest.mark.parametrize("name", ["logistic", "knn"])
def test_some_sweeps_are_logits(name):
    """For heads that need no temperature a softmax over decision values gives the probabilities of `fit`."""
    X, y = example(d=5)
    train, test = FOLDS[0]
    values = heads.sweep(name, X, y, 3, [None], FOLDS[:1])[0, test]
    expected = heads.make(name).fit(X[train], y[train], n_classes=3).predict_proba(X[test])
    np.testing.assert_allclose(Softmax()(values), expected, atol=1e-6)


def test_a_warm_start_changes_nothing():
    """Every penalty of logistic's path has the probabilities of a fit that started from nothing (digits)."""
    X, y = load_digits(return_X_y=True)
    train, test = np.arange(600), np.arange(600, 900)
    grid = heads.penalties("logistic")
    path = heads.sweep("logistic", X, y, 10, grid, [(train, test)])[:, test]
    for penalty, values in zip(grid, path, strict=True):
        alone = heads.make("logistic", penalty=penalty).fit(X[train], y[train], n_classes=10).predict_proba(X[test])
        np.testing.assert_allclose(Softmax()(values), alone, atol=0.02)


def test_rows_that_no_fold_tests_are_nan():
    """A row outside every test fold has no value."""
    X, y = example()
    values = heads.sweep("ridge", X, y, 3, [1.0], FOLDS[:1])
    assert np.isfinite(values[:, :20]).all()
    assert np.isnan(values[:, 20:]).all()


def test_rows_tested_twice_have_the_mean():
    """Repeated folds are averaged for each row."""
    X, y = example()
    once = [heads.sweep("ridge", X, y, 3, [1.0], [(train, np.arange(5))]) for train, _ in (FOLDS[0], FOLDS[2])]
    both = heads.sweep("ridge", X, y, 3, [1.0], [(train, np.arange(5)) for train, _ in (FOLDS[0], FOLDS[2])])
    np.testing.assert_allclose(both[:, :5], (once[0] + once[1])[:, :5] / 2)


@pytest.mark.parametrize("spec", ["ridge", "knn", "mlp:8", LogisticRegression()])
def test_a_class_that_a_fold_lacks_is_impossible_there(spec):
    """Its column is -inf, and the other columns do not move; a fold of one class is sure of it."""
    X, y = example()
    train = np.flatnonzero(y != 1)
    values = heads.sweep(spec, X, y, 3, [None], [(train, np.arange(60))])[0]
    assert (values[:, 1] == -np.inf).all()
    assert (values[train].argmax(1) == y[train]).mean() > 0.9
    single = heads.sweep(spec, X, y, 3, [None], [(np.flatnonzero(y == 2), np.arange(60))])[0]
    assert (single.argmax(1) == 2).all()


def test_heads_without_a_cheap_sweep_are_fitted_once_a_fold():
    """An estimator of the user's and an MLP go through the same door."""
    X, y = example()
    for spec in (LogisticRegression(), "mlp:8"):
        values = heads.sweep(spec, X, y, 3, heads.penalties(spec), FOLDS)
        assert (values[0].argmax(1) == y).mean() > 0.75


def test_leave_one_out_keeps_the_columns_of_absent_classes():
    """`ridge_loo` has a column of -inf for a class that no row has."""
    X, y = example()
    values = heads.ridge_loo(X[y != 1], y[y != 1], 3, [0.3])
    assert (values[0, :, 1] == -np.inf).all()
    assert (values[0].argmax(1) == y[y != 1]).mean() > 0.9


def test_penalties_go_from_simple_to_free():
    """A stronger penalty never fits the training rows better (log loss of logistic, by the grid's order)."""
    X, y = example(d=5)
    X = X + np.random.default_rng(1).normal(size=X.shape).astype(np.float32) * 3
    losses = []
    for penalty in heads.penalties("logistic"):
        proba = heads.make("logistic", penalty=penalty).fit(X, y, n_classes=3).predict_proba(X)
        losses.append(-np.log(proba[np.arange(60), y]).mean())
    assert losses == sorted(losses, reverse=True)


def test_a_pinned_penalty_is_not_searched():
    """A spec that says its penalty has no grid, and cannot be given another."""
    assert (
        heads.penalties("ridge:alpha=2") == heads.penalties("mlp") == heads.penalties(LogisticRegression()) == (None,)
    )
    assert len(heads.penalties("svm-rbf:gamma=0.5")) > 1
