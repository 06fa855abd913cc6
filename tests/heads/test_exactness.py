"""The closed forms and the rotation give what scikit-learn, or the long way round, gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

from icecore import heads
from icecore.heads.axes import Axes
from icecore.heads.lda import ledoit_wolf
from icecore.heads.linear import LinearHead
from icecore.heads.scaling import standardisation
from icecore.heads.weighting import class_weights
from icecore.testing.heads import example

LINEAR = ["ridge", "lda", "lda:shrinkage=0.3", "logistic", "svm"]


def scaled(X):
    return standardisation(X)(X)


@pytest.mark.parametrize("d", [6, 80])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_ridge_is_scikit_learns(class_weight, d):
    """The closed form orders classes by the same values as RidgeClassifier on the same scale, wide rows included."""
    X, y = example(n=50, d=d)
    Z = scaled(X)
    rows = np.arange(len(y))
    ours = heads.sweep("ridge", X, y, 3, [0.3], [(rows, rows)], class_weight=class_weight)[0]
    theirs = RidgeClassifier(alpha=0.3, class_weight=class_weight).fit(Z, y)
    np.testing.assert_allclose(ours, theirs.decision_function(Z), atol=1e-8)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_lda_is_scikit_learns(class_weight):
    """With a given shrinkage the discriminants are LinearDiscriminantAnalysis's, balanced meaning equal priors."""
    X, y = example(n=50, d=6)
    y = np.minimum(y, 1)  # twice as many of class 1
    priors = [0.5, 0.5] if class_weight else None
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=priors).fit(scaled(X), y)
    rows = np.arange(len(y))
    ours = heads.sweep("lda", X, y, 2, [0.3], [(rows, rows)], class_weight=class_weight)[0]
    np.testing.assert_allclose(ours[:, 1] - ours[:, 0], theirs.decision_function(scaled(X)), rtol=1e-6, atol=1e-6)


@given(n=st.integers(3, 30), d=st.integers(2, 20), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_ledoit_wolf_is_scikit_learns(n, d, seed):
    """The automatic shrinkage is scikit-learn's, before and after a rotation."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    Z = Axes.of(X).rows
    found = ledoit_wolf(Z, Z.T @ Z / n, d)
    assert found == pytest.approx(ledoit_wolf_shrinkage(X, assume_centered=True), abs=1e-9)


def test_logistic_is_scikit_learns():
    """`logistic:C=3` is LogisticRegression(C=3) on the same scale."""
    X, y = example(n=50, d=6)
    theirs = LogisticRegression(C=3, tol=1e-8).fit(scaled(X), y).predict_proba(scaled(X))
    ours = heads.make("logistic:C=3").fit(X, y, n_classes=3).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_svm_rbf_is_scikit_learns_for_each_class():
    """Its decision values are those of one SVC against the rest for each class, gamma 1 being "scale"."""
    X, y = example(n=50, d=6)
    rows = np.arange(len(y))
    ours = heads.sweep("svm-rbf", X, y, 3, [0.1], [(rows, rows)])[0]
    Z = scaled(X)
    for c in range(3):
        theirs = SVC(C=10, gamma="scale").fit(Z, y == c).decision_function(Z)
        np.testing.assert_allclose(ours[:, c], theirs, atol=1e-3)


@pytest.mark.parametrize("spec", LINEAR)
def test_the_axes_change_nothing(spec):
    """With more features than rows a head fitted along the axes of its rows predicts what one fitted in full does."""
    X, y = example(n=30, d=80)
    new = example(n=20, d=80, seed=1)[0]
    turned = heads.make(spec).fit(X, y, n_classes=3)
    full = without_axes(spec).fit(X, y, n_classes=3)
    np.testing.assert_allclose(turned.predict_proba(new), full.predict_proba(new), atol=1e-3)


def without_axes(spec):
    """The same head, made to solve in the space that it was given."""
    head = heads.make(spec)
    assert isinstance(head, LinearHead)

    class Full(type(head)):
        def solutions(self, axes, codes, k, penalties):
            Z = axes.rows @ axes.basis.T
            whole = Axes(Z, np.eye(Z.shape[1]), np.square(Z).sum(axis=0))
            for weight, bias in super().solutions(whole, codes, k, penalties):
                yield axes.basis.T @ weight, bias

    return Full(head.options)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("d", [4, 40])
def test_leave_one_out_is_leaving_one_out(d, class_weight):
    """The closed form gives the value of each row from a ridge fitted on all the others, with many features too."""
    X, y = example(n=18, d=d)
    found = heads.ridge_loo(X, y, 3, [0.3, 3.0], class_weight=class_weight)
    weights = class_weights(y, 3, class_weight)[y]
    Z = scaled(X)
    for penalty, values in zip([0.3, 3.0], found, strict=True):
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            model = RidgeClassifier(alpha=penalty).fit(Z[rest], y[rest], sample_weight=weights[rest])
            np.testing.assert_allclose(values[i], model.decision_function(Z[i : i + 1])[0], atol=1e-8)


def test_leave_group_out_is_leaving_the_group_out():
    """Rows of one group are left out together."""
    X, y = example(n=24, d=5)
    groups = np.arange(24) // 2
    found = heads.ridge_loo(X, y, 3, [0.3], groups=groups)[0]
    Z = scaled(X)
    for group in range(12):
        rest = groups != group
        model = RidgeClassifier(alpha=0.3).fit(Z[rest], y[rest])
        np.testing.assert_allclose(found[~rest], model.decision_function(Z[~rest]), atol=1e-8)


@given(n=st.integers(2, 30), d=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_standardised_rows_have_mean_squared_length_one(n, d, seed):
    """Whatever the features, rows come out centred, and one long in the mean; constant features come out as zero."""
    X = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) * 100 + 5
    X[:, 0] = 3.0
    Z = scaled(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.square(Z).sum(axis=1).mean(), float(d > 1), atol=1e-6)
    assert not Z[:, 0].any()
