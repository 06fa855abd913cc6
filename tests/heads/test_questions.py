"""Several labels a row, and classes in an order: binary heads on shared rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from icecore import heads
from icecore.errors import HeadError
from icecore.heads.multilabel import tuned_thresholds
from icecore.testing import check_head
from tests.heads.test_pieces import Elsewhere

SPECS = ["centroid", "ridge", "logistic", "lda", "svm", "knn", "svm-rbf", LogisticRegression()]


def labelled(n=120, seed=0, rare=0.1):
    """Features and two labels of them: one in every other row, one rare."""
    X = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    Y = np.stack([X[:, 0] > 0, X[:, 1] > np.quantile(X[:, 1], 1 - rare)], axis=1).astype(np.int64)
    return X, Y


def graded(n=150, seed=0):
    """Features of which one rises through four classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4
    X = rng.normal(size=(n, 4)).astype(np.float32)
    X[:, 0] += 2 * y
    return X, y


@pytest.mark.parametrize("spec", SPECS)
def test_labels_are_learnt_each_by_itself(spec):
    """Every head by name, and scikit-learn's; probabilities are each label's own."""
    X, Y = labelled()
    head = heads.MultilabelHead(spec).fit(X, Y, n_classes=2)
    proba = head.predict_proba(X)
    assert proba.shape == (120, 2)
    assert ((proba >= 0) & (proba <= 1)).all()
    assert f1_score(Y, proba >= head.thresholds_, average="macro") > 0.6
    alone = heads.make(spec).fit(X, Y[:, 0], n_classes=2).predict_proba(X)[:, 1]
    assert np.corrcoef(proba[:, 0], alone)[0, 1] > 0.99


def test_thresholds_suit_the_rare():
    """A label that few rows have is predicted at a lower probability than one half, where that has the better F1."""
    rng = np.random.default_rng(1)
    proba = rng.beta(1, 6, size=(2000, 1))
    truth = rng.random((2000, 1)) < proba
    found = tuned_thresholds(proba, truth)
    assert 0.1 < found[0] < 0.35
    assert f1_score(truth, proba >= found) > f1_score(truth, proba >= 0.5)


def test_labels_too_few_to_tune_by_share_a_threshold():
    """Three rows with a label say nothing of its threshold; rows that were never left out say nothing either."""
    proba = np.concatenate([np.linspace(0, 1, 40)[:, None]] * 2, axis=1)
    truth = np.stack([proba[:, 0] > 0.7, np.arange(40) >= 37], axis=1)
    common = tuned_thresholds(proba, truth)
    assert common[0] == pytest.approx(0.705, abs=0.02)
    assert common[1] != pytest.approx(0.935, abs=0.02)
    proba[5] = np.nan
    assert np.isfinite(tuned_thresholds(proba, truth)).all()
    assert tuned_thresholds(proba, np.zeros_like(truth)).tolist() == [0.5, 0.5]


@given(arrays(np.float64, (12,), elements=st.floats(0, 1)), arrays(bool, (12,)))
def test_no_threshold_has_a_better_f1(proba, truth):
    """Whatever the probabilities, ties included."""
    found = tuned_thresholds(np.tile(proba[:, None], (2, 1)), np.tile(truth[:, None], (2, 1)))[0]
    if truth.sum() * 2 < 5:
        return
    best = max(f1_score(truth, proba >= t, zero_division=0) for t in [*proba, 0.5])
    assert f1_score(truth, proba >= found, zero_division=0) == pytest.approx(best)


@pytest.mark.parametrize("spec", ["ridge", "svm-rbf", "mlp:8"])
@pytest.mark.parametrize("kind", [heads.MultilabelHead, heads.OrdinalHead])
def test_state_goes_through_json(kind, spec):
    """Saved and restored, without pickle, it predicts the same, thresholds included."""
    X, y = labelled(60) if kind is heads.MultilabelHead else graded(60)
    k = 2 if kind is heads.MultilabelHead else 4
    head = kind(spec).fit(X, y, n_classes=k)
    config, own = head.state()
    restored = heads.restore(json.loads(json.dumps(config, allow_nan=False)), own)
    np.testing.assert_allclose(restored.predict_proba(X), head.predict_proba(X), atol=1e-6)
    assert getattr(restored, "thresholds_", np.zeros(0)).tolist() == getattr(head, "thresholds_", np.zeros(0)).tolist()
    assert restored.stores_training_rows == (spec == "svm-rbf")


def test_labels_that_all_or_none_have():
    """They keep their columns: probability 1, and 0."""
    X, Y = labelled()
    Y = np.column_stack([Y[:, 0], np.ones(120, int), np.zeros(120, int)])
    for spec in ("ridge", "logistic", LogisticRegression()):
        proba = heads.MultilabelHead(spec).fit(X, Y, n_classes=3).predict_proba(X)
        assert (proba[:, 1] == 1).all()
        assert (proba[:, 2] == 0).all()


def test_what_are_no_labels_is_told():
    """Another width, another value."""
    X, Y = labelled()
    with pytest.raises(HeadError, match=r"Got labels of shape \(120, 2\)\. 0 or 1 for each of 3 labels"):
        heads.MultilabelHead("ridge").fit(X, Y, n_classes=3)
    with pytest.raises(HeadError, match="has not been fitted"):
        heads.MultilabelHead("ridge").predict_proba(X)
    with pytest.raises(HeadError, match="120 rows of features came with 60"):
        heads.OrdinalHead("ridge").fit(X, Y[:60, 0], n_classes=2)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_sweep_of_answers_is_a_fit_each(class_weight):
    """Log-odds of all penalties at once are those of a binary head for each; of ridge by one Gram matrix."""
    X, Y = labelled(80, rare=0.3)
    folds = [(np.arange(50), np.arange(50, 80))]
    for spec in ("ridge", "logistic", "knn"):
        grid = heads.penalties(spec)
        found = heads.sweep_answers([(spec, grid)], X, Y.astype(bool), folds, class_weight=class_weight)[0]
        assert np.isnan(found[:, :50]).all()
        for label in range(2):
            values = heads.sweep(spec, X, Y[:, label], 2, grid, folds, class_weight=class_weight)[:, 50:]
            np.testing.assert_allclose(found[:, 50:, label], values[..., 1] - values[..., 0], atol=2e-2)


def test_balance_lets_the_rare_label_count():
    """With class_weight a rare label that overlaps with the rest gets higher probabilities."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    Y = (X[:, :1] + rng.normal(size=(300, 1)) > 2).astype(int)
    plain, even = (
        heads.MultilabelHead("logistic", class_weight=weight).fit(X, Y, n_classes=1).predict_proba(X).mean()
        for weight in (None, "balanced")
    )
    assert plain == pytest.approx(Y.mean(), abs=0.03)
    assert even > 2 * plain


@pytest.mark.parametrize("spec", ["ridge", "logistic", "svm", "knn"])
def test_an_ordinal_head_is_a_head(spec):
    """It keeps the contract that every head of classes keeps."""
    check_head(lambda: heads.OrdinalHead(spec))


def test_an_order_is_learnt():
    """The expected class rises with the feature, and mistakes are by one rank."""
    X, y = graded()
    proba = heads.OrdinalHead("logistic").fit(X, y, n_classes=4).predict_proba(X)
    assert (proba >= 0).all()
    expected = proba @ np.arange(4)
    assert np.corrcoef(expected, X[:, 0])[0, 1] > 0.9
    assert np.abs(proba.argmax(axis=1) - y).max() <= 2


@pytest.mark.parametrize("kind", [heads.MultilabelHead, heads.OrdinalHead])
def test_they_are_fitted_in_pieces(kind):
    """Linear heads on rows that are read piece by piece; others say that they cannot."""
    X, y = labelled(4500) if kind is heads.MultilabelHead else graded(4500)
    k = 2 if kind is heads.MultilabelHead else 4
    whole = kind("ridge").fit(X, y, n_classes=k).predict_proba(X[:200])
    pieces = kind("ridge").fit_in_pieces(Elsewhere(X), y, n_classes=k)
    assert pieces is not None
    np.testing.assert_allclose(pieces.predict_proba(X[:200]), whole, atol=0.06)
    assert kind("knn").fit_in_pieces(Elsewhere(X), y, n_classes=k) is None


def test_rows_are_told_apart_by_their_rarest_label():
    """So that folds spread the rare labels; rows without any are a kind of their own."""
    _, Y = labelled(200, rare=0.05)
    strata = heads.strata_of(Y.astype(bool))
    assert len(set(strata[Y[:, 1] == 1].tolist())) == 1
    assert not set(strata[Y[:, 1] == 1].tolist()) & set(strata[Y[:, 1] == 0].tolist())
