"""Every metric equals scikit-learn's, every interval holds its value, and wrong calls are explained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from icecore.errors import UsageError
from icecore.evaluation import METRICS, Estimate, majority_baseline, metrics


@st.composite
def predictions(draw, fewest=2):
    """Labels, probabilities with ties in them, weights."""
    k, n, seed = draw(st.integers(2, 6)), draw(st.integers(fewest, 60)), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    raw = np.round(rng.random((n, k)) + draw(st.sampled_from([0.0, 0.5, 3.0])) * np.eye(k)[y], 1) + 0.05
    return y, raw / raw.sum(axis=1, keepdims=True), k, rng.integers(1, 4, n).astype(float)


@settings(max_examples=60, deadline=None)
@given(predictions(), st.booleans())
def test_values_equal_scikit_learn(case, weighted):
    """Accuracy, balanced accuracy, macro F1 and log loss are scikit-learn's, with weights and without."""
    y, proba, k, weights = case
    given_weights = weights if weighted else None
    found, predicted = metrics(y, proba, k, weights=given_weights), proba.argmax(axis=1)
    weigh = {"sample_weight": given_weights}
    seen = np.isin(predicted, y)  # scikit-learn warns where predictions and labels do not share their classes
    assert found["accuracy"].value == pytest.approx(accuracy_score(y, predicted, **weigh))
    assert found["macro_f1"].value == pytest.approx(f1_score(y, predicted, average="macro", **weigh))
    assert found["log_loss"].value == pytest.approx(log_loss(y, proba, labels=range(k), **weigh))
    if seen.all() and len(np.unique(y)) > 1:
        assert found["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(y, predicted, **weigh))


@settings(max_examples=60, deadline=None)
@given(predictions())
def test_area_equals_scikit_learn(case):
    """ROC AUC is scikit-learn's one-against-rest average, over the classes that occur; None where only one does."""
    y, proba, k, weights = case
    present = [c for c in range(k) if 0 < (y == c).sum() < len(y)]
    if k == 2 and present:
        present = [1]  # the same area as that of class 0, but for ties that rounding breaks
    found = metrics(y, proba, k, weights=weights)["roc_auc"]
    if not present:
        assert found is None
    else:
        areas = [roc_auc_score(y == c, proba[:, c], sample_weight=weights) for c in present]
        assert found.value == pytest.approx(np.mean(areas), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(predictions(fewest=1))
def test_intervals_hold_their_value_and_are_never_points(case):
    """low <= value <= high, with some width, inside the range of the metric."""
    y, proba, k, _ = case
    for name, found in metrics(y, proba, k).items():
        if found is not None:
            assert 0 <= found.low <= found.value <= found.high, name
            assert found.high - found.low > 1e-6, name
            assert name == "log_loss" or found.high <= 1, name


def test_perfect_and_hopeless_predictions_keep_their_doubt():
    """All right or all wrong, with certainty: no interval shrinks to a point, none is infinite."""
    y = np.array([0, 1, 2] * 5)
    for proba in (np.eye(3)[y], np.eye(3)[(y + 1) % 3]):
        for found in metrics(y, proba, 3).values():
            assert np.isfinite([found.value, found.low, found.high]).all()
            assert found.high > found.low


def test_area_of_one_class_is_none():
    """With a single class in the labels there is nothing to rank; the other figures stand."""
    found = metrics(np.zeros(4, dtype=int), np.tile([0.8, 0.2], (4, 1)), 2)
    assert found["roc_auc"] is None
    assert found["accuracy"].value == 1
    assert tuple(found) == METRICS


def test_repeats_and_duplicates_narrow_nothing():
    """The same rows ten times over, declared as the same items, give the same intervals."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 50)
    proba = rng.dirichlet(np.ones(3), 50)
    once = metrics(y, proba, 3)
    tenfold = metrics(np.tile(y, 10), np.tile(proba, (10, 1)), 3, groups=np.tile(np.arange(50), 10))
    for name in METRICS:
        assert tenfold[name].value == pytest.approx(once[name].value)
        assert (tenfold[name].low, tenfold[name].high) == pytest.approx((once[name].low, once[name].high), rel=1e-6)


def test_figures_do_not_depend_on_the_order_of_rows():
    """Shuffled rows give the same figures; a constant model of sorted classes is as calibrated as of mixed ones."""
    y = np.repeat([0, 1], [70, 30])
    proba = np.tile([0.7, 0.3], (100, 1))
    order = np.random.default_rng(0).permutation(100)
    first, second = metrics(y, proba, 2), metrics(y[order], proba, 2)
    assert first["calibration_error"].value == pytest.approx(0, abs=1e-12)
    for name in METRICS:
        assert first[name].value == pytest.approx(second[name].value)


def test_figures_repeat_with_the_seed():
    """Equal calls give equal intervals."""
    rng = np.random.default_rng(0)
    y, proba = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    assert metrics(y, proba, 3, seed=4) == metrics(y, proba, 3, seed=4)


def test_many_classes_with_few_items_keep_the_value_inside():
    """A hundred classes with three items each, all right: the intervals reach from a little below one to one."""
    y = np.repeat(np.arange(100), 3)
    found = metrics(y, np.eye(100)[y] * 0.9 + 0.001, 100)
    assert found["balanced_accuracy"].high == 1
    assert 0.95 < found["balanced_accuracy"].low < 1


def test_a_hundred_thousand_rows_are_quick():
    """Large tables are answered with narrow intervals (and without draws over rows)."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 100_000)
    proba = rng.dirichlet(np.ones(10), 100_000)
    found = metrics(y, proba, 10)
    assert all(e.high - e.low < 0.05 for e in found.values())


def test_majority_baseline_knows_only_the_shares():
    """It answers every row with the commonest training class, ranks nothing, and is calibrated."""
    y = np.array([0] * 80 + [1] * 20)
    found = majority_baseline(y, y, 2)
    assert found["accuracy"].value == 0.8
    assert found["balanced_accuracy"].value == 0.5
    assert found["roc_auc"].value == 0.5
    assert found["roc_auc"].low < 0.5 < found["roc_auc"].high
    assert found["calibration_error"].value == pytest.approx(0, abs=1e-12)


def test_estimate_reads_as_a_figure_with_its_interval():
    """An estimate prints as value and interval, three decimals."""
    assert str(Estimate(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"


@pytest.mark.parametrize(
    ("y", "proba", "words"),
    [
        ([0, 1], np.full((2, 3), 1 / 3), r"Labels of shape \(2,\) came with .* Expected \(n,\) and \(n, 2\)"),
        ([], np.empty((0, 2)), "with at least one row"),
        ([0, 2], np.full((2, 2), 0.5), "not class codes. Expected integers from 0 to 1"),
        ([0.0, 1.0], np.full((2, 2), 0.5), "not class codes"),
        ([0, 1], np.full((2, 2), np.nan), "Leave out the rows that no fold has tested"),
        ([0, 1], np.full((2, 2), 0.7), "do not sum to one"),
    ],
)
def test_wrong_calls_are_explained(y, proba, words):
    """Shapes, codes and probabilities that cannot be right raise UsageError and say what would be."""
    with pytest.raises(UsageError, match=words):
        metrics(np.array(y), proba, 2)


def test_wrong_weights_are_explained():
    """Weights have to be one positive number a row."""
    with pytest.raises(UsageError, match="Expected 2 numbers above zero"):
        metrics(np.array([0, 1]), np.full((2, 2), 0.5), 2, weights=np.array([1.0, 0.0]))
