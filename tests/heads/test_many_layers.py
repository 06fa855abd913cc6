"""Heads over many layers: what they keep, what they weigh, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icecore import heads
from icecore.errors import HeadError
from icecore.evaluation.folds import folds
from icecore.heads.layered import Over
from icecore.heads.steps import Budget, LayerSum

N, K = 240, 3


def layers(*informative, count=5, d=12, seed=0, distance=1.5):
    """(layers, n, d) of noise, some of which know the classes; and the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(N) % K
    made = rng.normal(size=(count, N, d)).astype(np.float32)
    for layer in informative:
        made[layer, np.arange(N), y] += distance
    return made, y


def side_by_side(made):
    return np.concatenate(list(made), axis=1)


def right(head, X, y):
    """Accuracy on the odd rows of a head fitted on the even ones, which have the same classes."""
    fit, test = np.arange(N) % 2 == 0, np.arange(N) % 2 == 1
    return float((head.fit(X[fit], y[fit], n_classes=K).predict_proba(X[test]).argmax(1) == y[test]).mean())


def test_the_layers_that_know_the_classes_weigh_most():
    """Of five layers two are informative: the sum is of these two."""
    made, y = layers(1, 3)
    head = heads.make(Over("layer-sum", [12] * 5)).fit(side_by_side(made), y, n_classes=K)
    assert head.layer_weights[[1, 3]].sum() > 0.9
    assert head.layer_weights.sum() == pytest.approx(1)


def test_one_layer_is_logistic_regression():
    """A sum of one layer is that layer."""
    made, y = layers(0, count=1)
    X = side_by_side(made)
    plain = heads.make("logistic", penalty=0.3).fit(X, y, n_classes=K).predict_proba(X)
    summed = heads.make("layer-sum", penalty=0.3).fit(X, y, n_classes=K).predict_proba(X)
    np.testing.assert_allclose(summed, plain, atol=2e-3)


def test_the_weights_of_a_sum_are_a_minimum():
    """No other weights of the layers, with the regression that suits them, have a lower loss by more than the rounds
    that were left out would give.
    """
    made, y = layers(1, 3, distance=1.0)
    X = side_by_side(made)
    head = heads.make(Over("layer-sum", [12] * 5), penalty=1.0).fit(X, y, n_classes=K)
    best = _loss(head, X, y)
    for moved in (0, 1, 2, 3, 4):
        weights = head.layer_weights + 0.05 * (np.arange(5) == moved)
        steps = list(head.steps_)
        head.steps_ = [LayerSum(weights / weights.sum()) if isinstance(one, LayerSum) else one for one in steps]
        assert _loss(head, X, y) > best - 0.01
        head.steps_ = steps


def _loss(head, X, y):
    return float(-np.log(head.predict_proba(X)[np.arange(N), y]).mean())


def test_layers_of_different_widths_are_refused_with_what_to_do():
    """They cannot be added up."""
    made, y = layers(0)
    head = heads.make(Over("layer-sum", [24, 36]))
    with pytest.raises(HeadError, match=r"these have 2 widths: 24, 36.*take head2toe, which reads layers of any width"):
        head.fit(side_by_side(made), y, n_classes=K)


@pytest.mark.parametrize("spec", ["layer-sum", "head2toe"])
def test_widths_that_are_not_those_of_the_features_are_refused(spec):
    """Both sums are named."""
    made, y = layers(0)
    with pytest.raises(HeadError, match="layers have 24 features together, and there are 60"):
        heads.make(Over(spec, [12, 12])).fit(side_by_side(made), y, n_classes=K)


def test_head2toe_keeps_what_knows_the_classes():
    """Of 400 features six are informative: these are kept, and that pays against keeping all."""
    made, y = layers(1, 3, d=80, distance=1.2)
    X = side_by_side(made)
    head = heads.make(Over("head2toe:keep=0.05", [80] * 5)).fit(X, y, n_classes=K)
    assert {80, 81, 82, 240, 241, 242} <= set(head.kept.tolist())
    assert len(head.kept) == 20
    kept, everything = (heads.make(Over(f"head2toe:keep={share}", [80] * 5)) for share in (0.05, 1))
    assert right(kept, X, y) > right(everything, X, y)


def test_a_wide_layer_is_brought_to_its_budget():
    """Neighbours are averaged within their layer; one that is narrow enough stays as it is."""
    made, y = layers(0, count=2, d=40)
    X = np.concatenate([made[0], made[1][:, :6]], axis=1)
    head = heads.make(Over("head2toe:keep=1,budget=10", [40, 6])).fit(X, y, n_classes=K)
    budget = head.steps_[0]
    assert isinstance(budget, Budget)
    assert budget(X).shape == (N, 16)
    np.testing.assert_allclose(budget(X)[:, 0], X[:, :4].mean(1), rtol=1e-5)
    np.testing.assert_allclose(budget(X)[:, 10:], X[:, 40:], rtol=1e-6)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_budgets_never_straddle_layers(widths, budget):
    """Whatever the widths, each mean is of one layer's features, and a layer has as many as its budget, or all."""
    head = heads.make(Over(f"head2toe:keep=1,budget={budget}", widths))
    X = np.concatenate([np.full((8, width), float(i)) for i, width in enumerate(widths)], axis=1)
    X += np.random.default_rng(0).normal(size=X.shape) * 1e-3
    head.fit(X.astype(np.float32), np.arange(8) % 2, n_classes=2)
    rows = head.steps_[0](X) if isinstance(head.steps_[0], Budget) else X
    np.testing.assert_allclose(rows.mean(0), np.repeat(np.arange(len(widths)), np.minimum(widths, budget)), atol=0.01)


@pytest.mark.parametrize("spec", ["layer-sum", "head2toe"])
def test_a_sweep_is_a_fit_for_each_penalty(spec):
    """Out-of-fold decision values are those of heads fitted on the folds' training rows."""
    made, y = layers(1, 3)
    X, widths, grid = side_by_side(made), [12] * 5, heads.penalties(spec)[-3:]
    plan = folds(y, n_splits=3, seed=0)
    swept = heads.sweep(Over(spec, widths), X, y, K, grid, plan)
    for number, penalty in enumerate(grid):
        for train, test in plan:
            head = heads.make(Over(spec, widths), penalty=penalty).fit(X[train], y[train], n_classes=K)
            same = head.predict_proba(X[test]).argmax(1) == swept[number, test].argmax(1)
            assert same.mean() > 0.95  # layer-sum begins each penalty with the weights of the last
