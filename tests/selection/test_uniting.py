"""Finished models as one: shares that are picked, and a gain on rows that did not pick them."""

import numpy as np
import pytest

from icecore.errors import DataError
from icecore.selection import unite
from icecore.tasks import Classification, Multilabel, Ordinal, Regression


def said_of(y, strength, rng, k):
    """Probabilities (n, k) of a model that sees the class through noise."""
    values = strength * np.eye(k)[y] + rng.normal(size=(len(y), k))
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)


def test_models_that_err_apart_are_better_together():
    """Two as good as each other, one that guesses: the guesser has no share, the others about half, and it pays."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    said = np.stack([said_of(y, strength, rng, 3) for strength in (2.0, 2.0, 0.0)])
    found = unite(said, y, Classification(("a", "b", "c")), np.arange(600))
    assert found.pays
    assert set(found.mix.shares) == {0, 1}
    assert 0.3 < found.mix.shares[0] < 0.7
    np.testing.assert_allclose(found.together.sum(axis=1), 1)
    task = Classification(("a", "b", "c"))
    np.testing.assert_allclose(found.mix.says(task.to_average(said), task).sum(axis=1), 1)


def test_chance_is_no_gain():
    """Forty models that guess: what looks best on all rows is no better on rows that did not choose it."""
    rng = np.random.default_rng(1)
    falsely = 0
    for _ in range(20):
        y = rng.integers(2, size=200)
        said = np.stack([said_of(y, 0.0, rng, 2) for _ in range(40)])
        falsely += unite(said, y, Classification((0, 1)), np.arange(200)).pays
    assert falsely <= 2


def test_a_strong_model_stays_alone():
    """Beside one that knows everything the others are no help."""
    rng = np.random.default_rng(2)
    y = rng.integers(2, size=300)
    said = np.stack([said_of(y, 30.0, rng, 2), said_of(y, 0.5, rng, 2)])
    found = unite(said, y, Classification((0, 1)), np.arange(300))
    assert (dict(found.mix.shares), found.pays, dict(found.best.shares)) == ({0: 1.0}, False, {0: 1.0})


def test_equal_rows_count_once_and_stay_together():
    """A thousand copies of one item that only a bad model gets right count as one: it gets no large share."""
    rng = np.random.default_rng(3)
    y = np.append(rng.integers(2, size=100), np.zeros(1000, int))
    good = said_of(y, 3.0, rng, 2)
    bad = np.full((1100, 2), 0.5)
    good[100:], bad[100:] = [0.2, 0.8], [0.999, 0.001]
    groups = np.append(np.arange(100), np.full(1000, 100))
    found = unite(np.stack([good, bad]), y, Classification((0, 1)), groups)
    assert found.mix.shares[0] > 0.8
    assert found.gain.high - found.gain.low > 0.02  # as of a hundred items, not of a thousand


def test_numbers_are_averaged():
    """By the squared error, in units of the variance: the scale of the numbers changes nothing."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=400)
    said = (y + rng.normal(0, 0.7, (3, 400)))[:, :, None]
    found = unite(said, y, Regression(), np.arange(400))
    scaled = unite(1e5 * said, 1e5 * y, Regression(), np.arange(400))
    assert found.pays
    assert found.mix.shares == scaled.mix.shares
    assert found.gain.value == pytest.approx(scaled.gain.value)
    assert found.together.shape == (400, 1)


def test_several_labels_get_thresholds_of_their_own():
    """After the probabilities come thresholds that were tuned on the other folds."""
    rng = np.random.default_rng(5)
    y = (rng.random((400, 3)) < [0.5, 0.3, 0.2]).astype(int)
    said = 1 / (1 + np.exp(-(2.0 * y - 1 + rng.normal(0, 1, (2, 400, 3)))))
    found = unite(said, y, Multilabel(("a", "b", "c")), np.arange(400))
    assert found.pays
    assert found.together.shape == (400, 6)
    assert found.mix.thresholds.shape == (3,)
    assert len(np.unique(found.together[:, 3])) == 5  # one a fold
    task = Multilabel(("a", "b", "c"))
    assert found.best.says(task.to_average(said), task).shape == (400, 6)


def test_ordered_classes_gain_in_ranks():
    """The gain is in closeness of the median."""
    rng = np.random.default_rng(6)
    y = rng.integers(4, size=500)
    said = np.stack([said_of(y, 1.5, rng, 4) for _ in range(3)])
    assert unite(said, y, Ordinal((1, 2, 3, 4)), np.arange(500)).pays


def test_a_class_of_one_item_is_not_scored_and_too_few_are_told():
    """As in every evaluation."""
    rng = np.random.default_rng(7)
    y = np.append(np.arange(40) % 2, 2)
    found = unite(np.stack([said_of(y, 2.0, rng, 3)] * 2), y, Classification((0, 1, 2)), np.arange(41))
    assert found.scored.tolist() == [True] * 40 + [False]
    with pytest.raises(DataError, match="No class has two different items"):
        unite(np.full((2, 2, 2), 0.5), np.array([0, 1]), Classification((0, 1)), np.arange(2))


@pytest.mark.parametrize("task", [Classification((0, 1, 2)), Ordinal((0, 1, 2)), Multilabel((0, 1, 2)), Regression()])
def test_a_mean_of_one_is_what_it_says(task):
    """To the unit of averages and back nothing changes, at the ends neither."""
    said = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(task.from_average(task.to_average(said)), said, atol=3e-6)
