"""Ensembles of what the choice has tried: picked without the rows that they are judged on, kept only where they pay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icecore.evaluation import paired_difference
from icecore.heads.ensemble import Ensemble
from icecore.selection import Candidate, choose, features_of, fit_candidate, held_out, names_of, nested
from icecore.selection.ensembling import Tried, combined, pick
from tests.selection.examples import noise, rings

HEADS = ["ridge", "svm-rbf"]


def halves(n=240):
    """A layer that a line divides, too wide for neighbours, and one of rings, for neighbours alone: each knows half."""
    ring, bit = rings(n)
    y = 2 * (np.arange(n) // 2 % 2) + bit
    line = noise(n, 40, seed=5)
    line[:, 0] += 6 * (y // 2)
    return {"ring": ring, "line": line}, y


def tried(*probabilities):
    return [Tried(Candidate(f"l{i}", "ridge"), np.float32(proba)) for i, proba in enumerate(probabilities)]


def loss(shares, library, y):
    mean = sum(share * library[one].proba[np.arange(len(y)), y].astype(float) for one, share in shares.items())
    return float(-np.log(mean).mean())


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_no_single_candidate_is_better_than_what_is_picked(seed, count):
    """Shares sum to one, and on the rows that it was picked by the mean is at least as likely as any one alone."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 60)
    library = tried(*(rng.dirichlet([1, 1, 1], 60) * 0.5 + np.eye(3)[y] * 0.5 * rng.random() for _ in range(count)))
    library = tried(*(one.proba / one.proba.sum(1, keepdims=True) for one in library))
    shares = pick(library, y, np.ones(60))
    assert sum(shares.values()) == pytest.approx(1)
    assert loss(shares, library, y) <= min(loss({i: 1.0}, library, y) for i in range(count)) + 1e-3
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_a_good_candidate_is_picked_again_and_again():
    """Where an equal mean would be worse than the best alone, the best has the larger share."""
    y = np.arange(200) % 2
    rng = np.random.default_rng(0)
    good, poor = (np.clip(level + 0.25 * rng.normal(size=200), 0.02, 0.98) for level in (0.8, 0.55))
    library = tried(*(np.eye(2)[y] * p[:, None] + np.eye(2)[1 - y] * (1 - p[:, None]) for p in (poor, good)))
    shares = pick(library, y, np.ones(200))
    assert next(iter(shares)) == 1
    assert shares[1] > 0.6


def test_weights_of_rows_decide():
    """Rows that weigh nothing are not looked at."""
    y = np.array([0, 0, 1, 1])
    first, second = (np.float32([[p, 1 - p] for p in own]) for own in ([0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1]))
    assert pick(tried(first, second), y, np.array([1, 1, 1e-9, 1e-9])) == {0: 1.0}
    assert pick(tried(first, second), y, np.array([1e-9, 1e-9, 1, 1])) == {1: 1.0}


def test_an_ensemble_reads_the_layers_of_all_its_heads_once():
    """Layers come in the order in which they run; a layer that two heads read is there once."""
    X = {name: noise(20, width) for name, width in (("a", 2), ("b", 3), ("c", 4), ("last", 5))}
    shares = {Candidate(("a", "c"), "ridge", 0.3): 0.5, Candidate("c", "knn"): 0.3, Candidate("a", "centroid"): 0.2}
    found = combined(shares, X)
    assert found.layer == ("a", "c")
    assert [one.spans for one in found.head.members] == [((0, 2), (2, 6)), ((2, 6),), ((0, 2),)]
    assert str(found) == "ensemble of 3 heads on 2 layers from a to c"
    y = np.arange(20) % 2
    head = fit_candidate(found, X, y, 2)
    own = fit_candidate(Candidate("c", "knn"), X, y, 2).predict_proba(X["c"])
    np.testing.assert_allclose(head.parts[1].head.predict_proba(X["c"]), own)
    assert combined({Candidate("a", "ridge"): 1.0}, X) is None


def test_an_ensemble_that_pays_takes_the_place_of_the_single_head():
    """Two heads that know one half each: together they are better beyond the interval, and the choice says so."""
    features, y = halves()
    result = nested(features, y, 4, heads=HEADS, ensemble=True)
    versus = result.versus
    assert versus.pays
    assert versus.gain.low > 0
    assert isinstance(result.choice.candidate.head, Ensemble)
    assert {name for one, _ in versus.members for name in names_of(one.layer)} == {"ring", "line"}
    assert "points" in result.choice.reason
    assert result.choice.reason.endswith(", and takes its place.")
    single = nested(features, y, 4, heads=HEADS)
    assert single.choice.candidate == versus.single
    assert result.metrics()["accuracy"].value == pytest.approx(
        single.metrics()["accuracy"].value + versus.gain.value, abs=1e-9
    )
    assert min(versus.seconds) > 0


def test_an_ensemble_that_does_not_pay_is_left():
    """On noise none is better beyond the interval: figures and choice are those of the single head."""
    y = np.random.default_rng(0).integers(0, 2, 80)
    features = {f"layer.{i}": noise(80, 10, seed=i) for i in range(4)}
    result = nested(features, y, 2, heads=HEADS, ensemble=True)
    single = nested(features, y, 2, heads=HEADS)
    assert not result.versus.pays
    assert result.choice.candidate == single.choice.candidate
    np.testing.assert_array_equal(result.out_of_fold.proba, single.out_of_fold.proba)
    assert "the single head stays" in result.choice.reason or "better than one head" in result.choice.reason


def test_the_gain_is_of_rows_that_no_ensemble_was_picked_by():
    """Many layers of noise make an ensemble that shines on its own rows; the nested gain is nothing of the kind."""
    gains = []
    for seed in range(4):
        y = np.random.default_rng(seed).integers(0, 2, 100)
        features = {f"layer.{i}": noise(100, 20, seed=100 * seed + i) for i in range(8)}
        gains.append(nested(features, y, 2, heads=["ridge"], ensemble=True).versus.gain)
    assert sum(gain.low > 0 for gain in gains) <= 1
    assert abs(np.mean([gain.value for gain in gains])) < 0.1


def test_on_a_given_split_the_test_rows_compare():
    """Picked on `val`, fitted on `train` and `val`, and compared on `test`, whose labels change nothing else."""
    features, y = halves(450)
    splits = np.repeat(["train", "val", "test"], 150)
    result = held_out(features, y, 4, splits, heads=HEADS, ensemble=True)
    assert result.versus.pays
    right = result.proba.argmax(1) == result.y
    single = fit_candidate(
        result.versus.single, {name: X[:300] for name, X in features.items()}, y[:300], 4
    ).predict_proba(features_of(features, result.versus.single.layer)[300:])
    expected = paired_difference(right.astype(float), (single.argmax(1) == result.y).astype(float))
    assert result.versus.gain == expected
    other = held_out(features, np.where(splits == "test", (y + 1) % 4, y), 4, splits, heads=HEADS, ensemble=True)
    assert other.versus.ensemble == result.versus.ensemble


def test_with_balanced_classes_the_gain_is_of_balanced_accuracy():
    """The mean over classes of the gain within each."""
    features, y = halves()
    rare = np.flatnonzero((y != 3) | (np.arange(len(y)) % 5 == 0))
    part = {name: X[rare] for name, X in features.items()}
    result = nested(part, y[rare], 4, heads=HEADS, ensemble=True, class_weight="balanced")
    figures = result.metrics()["balanced_accuracy"].value
    single = nested(part, y[rare], 4, heads=HEADS, class_weight="balanced").metrics()["balanced_accuracy"].value
    assert result.versus.gain.low < result.versus.gain.value < result.versus.gain.high
    assert result.versus.pays
    assert figures - single == pytest.approx(result.versus.gain.value, abs=1e-9)


def test_none_is_picked_unless_asked_for():
    """By default nothing is kept of what was tried."""
    features, y = halves(120)
    assert choose(features, y, 4, heads=HEADS).ensemble is None
    assert nested(features, y, 4, heads=HEADS, n_splits=2).versus is None
