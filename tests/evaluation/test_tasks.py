"""Figures of numbers, several labels and classes in an order: scikit-learn's values, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from icecore.errors import UsageError
from icecore.evaluation import label_set_metrics, median_classes, number_metrics, rank_metrics


def measured(rng, n, *, heavy=False):
    """Numbers and predictions of them, with normal or heavy-tailed errors."""
    y = rng.normal(10, 3, n)
    return y, y + (rng.standard_t(8, n) if heavy else rng.normal(size=n))


def tagged(rng, n):
    """Labels of three frequencies and probabilities that know something of them."""
    odds = rng.normal(size=(n, 3)) * 1.5 + np.array([0.0, -1.5, -3.0])
    proba = 1 / (1 + np.exp(-odds))
    return (rng.random((n, 3)) < proba).astype(int), proba


def ranked(rng, n):
    """Classes 0..4 and probabilities around them."""
    y = rng.integers(0, 5, n)
    seen = y + rng.normal(0, 0.9, n)
    proba = np.exp(-0.5 * (np.arange(5) - seen[:, None]) ** 2 / 0.8)
    return y, proba / proba.sum(axis=1, keepdims=True)


THRESHOLDS = np.array([0.5, 0.4, 0.2])
KINDS = {
    "numbers": (measured, number_metrics, ("r2", "mae", "rmse")),
    "heavy tails": (
        lambda rng, n: measured(rng, n, heavy=True),
        number_metrics,
        ("r2", "mae", "rmse"),
    ),
    "labels": (
        tagged,
        lambda y, said: label_set_metrics(y, said, THRESHOLDS),
        ("mean_average_precision", "micro_f1", "macro_f1", "exact_match"),
    ),
    "ranks": (ranked, lambda y, said: rank_metrics(y, said, 5), ("mae", "quadratic_weighted_kappa", "accuracy")),
}


@given(st.integers(0, 1000), st.integers(3, 60))
def test_values_are_scikit_learns(seed, n):
    """Each value is what scikit-learn's function of that name says."""
    rng = np.random.default_rng(seed)
    y, said = measured(rng, n)
    found = number_metrics(y, said)
    assert found["r2"].value == pytest.approx(r2_score(y, said))
    assert found["mae"].value == pytest.approx(mean_absolute_error(y, said))
    assert found["rmse"].value == pytest.approx(root_mean_squared_error(y, said))
    truth, proba = tagged(rng, n)
    proba = proba.round(1)  # ties
    found = label_set_metrics(truth, proba, THRESHOLDS)
    there = truth.any(axis=0)
    if there.any():
        expected = [average_precision_score(truth[:, c], proba[:, c]) for c in np.flatnonzero(there)]
        assert found["mean_average_precision"].value == pytest.approx(np.mean(expected))
    predicted = proba >= THRESHOLDS
    if predicted.any() or truth.any():
        assert found["micro_f1"].value == pytest.approx(f1_score(truth, predicted, average="micro"))
    assert found["exact_match"].value == pytest.approx((truth == predicted).all(axis=1).mean())
    ranks, chances = ranked(rng, n)
    found = rank_metrics(ranks, chances, 5)
    predicted = median_classes(chances)
    assert found["mae"].value == pytest.approx(np.abs(predicted - ranks).mean())
    if len({*predicted.tolist(), *ranks.tolist()}) > 1:
        kappa = cohen_kappa_score(ranks, predicted, labels=range(5), weights="quadratic")
        assert found["quadratic_weighted_kappa"].value == pytest.approx(kappa)


@pytest.mark.parametrize("n", [40, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover_the_truth(kind, n):
    """In 200 samples every interval covers the truth about as often as it says, and lies around its value."""
    draw, judge, names = KINDS[kind]
    rng = np.random.default_rng(n)
    truth = judge(*draw(rng, 100_000))
    hits = {name: [] for name in names}
    for _ in range(200):
        found = judge(*draw(rng, n))
        for name in names:
            own = found[name]
            assert own.low <= own.value <= own.high
            hits[name].append(own.low <= truth[name].value <= own.high)
    cover = {name: float(np.mean(hit)) for name, hit in hits.items()}
    assert min(cover.values()) >= (0.86 if n == 40 else 0.90), cover


@pytest.mark.parametrize("kind", KINDS)
def test_duplicates_and_repeats_add_nothing(kind):
    """Every item three times, as groups with a third of the weight, is the same figure with the same interval."""
    draw, judge, names = KINDS[kind]
    y, said = draw(np.random.default_rng(0), 60)
    once = judge(y, said)
    options = {"groups": np.repeat(np.arange(60), 3), "weights": np.full(180, 1 / 3)}
    thrice = {
        "numbers": lambda: number_metrics(np.repeat(y, 3, 0), np.repeat(said, 3, 0), **options),
        "labels": lambda: label_set_metrics(np.repeat(y, 3, 0), np.repeat(said, 3, 0), THRESHOLDS, **options),
        "ranks": lambda: rank_metrics(np.repeat(y, 3, 0), np.repeat(said, 3, 0), 5, **options),
    }[kind if kind in ("labels", "ranks") else "numbers"]()
    for name in names:
        assert thrice[name].value == pytest.approx(once[name].value)
        assert thrice[name].low == pytest.approx(once[name].low, abs=0.02)
        assert thrice[name].high == pytest.approx(once[name].high, abs=0.02)


def test_a_perfect_model_has_doubt_left():
    """No interval has zero width, however right the model was."""
    y = np.arange(30.0)
    for found in (
        number_metrics(y, y),
        label_set_metrics(np.eye(3)[np.arange(30) % 3], np.eye(3)[np.arange(30) % 3], THRESHOLDS),
        rank_metrics(np.arange(30) % 3, np.eye(3)[np.arange(30) % 3], 3),
    ):
        for own in found.values():
            assert own.high - own.low > 0


def test_what_cannot_be_said_is_none_or_told():
    """R2 of numbers that do not vary, kappa of one class, precision where no label is; lengths that differ."""
    assert number_metrics(np.ones(5), np.arange(5.0))["r2"] is None
    assert rank_metrics(np.zeros(5, int), np.eye(2)[[0] * 5], 2)["quadratic_weighted_kappa"] is None
    empty = label_set_metrics(np.zeros((5, 2)), np.full((5, 2), 0.1), THRESHOLDS[:2])
    assert empty["mean_average_precision"] is None
    assert empty["micro_f1"].value == 1.0
    with pytest.raises(UsageError, match="5 rows of truth came with 4 predictions"):
        number_metrics(np.ones(5), np.ones(4))
    with pytest.raises(UsageError, match="missing values"):
        number_metrics(np.ones(2), np.array([1.0, np.nan]))


@pytest.mark.parametrize("off", [1e-6, 1e-2, 1.0])
def test_intervals_of_small_errors_are_of_their_size(off):
    """Numbers that are nearly right have intervals of the size of their errors, not of the numbers themselves."""
    y = np.arange(60.0)
    found = number_metrics(y, y + np.random.default_rng(0).normal(size=60) * off)
    assert found["rmse"].low > 0.5 * off
    assert found["rmse"].high < 1.5 * off
    assert found["mae"].high < 1.5 * off


def test_no_error_seen_is_no_proof_of_none():
    """Where every number is right, three of n items may still be as far off as the mean would be."""
    y = np.arange(60.0)
    found = number_metrics(y, y)
    assert 0 < found["rmse"].high < y.std() * (5 / 60) ** 0.5
    assert found["r2"].low > 0.8
