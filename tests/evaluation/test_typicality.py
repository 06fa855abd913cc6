"""What is unlike the training data is called so, and what is like it seldom."""

import numpy as np
import pytest

from icecore.errors import DataError
from icecore.evaluation import Typicality, outlier_scores, typicality


def data(rng: np.random.Generator, n: int, d: int = 60, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Classes in a space with a few strong directions, some features that never vary."""
    shape = np.random.default_rng(9)
    mix, centres = shape.normal(size=(10, d)), 3 * shape.normal(size=(k, d))
    y = rng.integers(0, k, n)
    X = centres[y] + rng.normal(size=(n, 10)) @ mix + 0.3 * rng.normal(size=(n, d))
    return np.concatenate([X, np.ones((n, 2))], axis=1).astype(np.float32), y


@pytest.mark.parametrize("n", [100, 1000])
def test_p_values_of_new_items_are_as_they_should_be(n):
    """Of new items of the same kind a share q has a p-value up to q; a class never seen is found."""
    rng = np.random.default_rng(n)
    small = {0.01: [], 0.1: []}
    for _ in range(10):
        X, y = data(rng, n)
        own = typicality(X, y)
        p = own.p_values(data(rng, 500)[0])
        for level, seen in small.items():
            seen.append((p <= level).mean())
    assert np.mean(small[0.1]) == pytest.approx(0.1, abs=0.035)
    assert np.mean(small[0.01]) <= 0.03
    foreign = data(rng, 200)[0]
    foreign[:, :60] += 4 * np.random.default_rng(1).normal(size=60)
    assert own.unlike(own.p_values(foreign)).mean() > 0.95


def test_it_comes_back_from_arrays():
    """What was saved in float32 says the same, to the third digit of a score."""
    rng = np.random.default_rng(0)
    X, y = data(rng, 300)
    own = typicality(X, y)
    again = Typicality.of_arrays(own.arrays())
    np.testing.assert_allclose(again.scores(X), own.scores(X), rtol=1e-3)
    np.testing.assert_allclose(again.p_values(X), own.p_values(X), atol=0.01)
    assert again.items == 300


def test_copies_do_not_vouch_for_each_other():
    """An item that is there five times is scored without its copies."""
    rng = np.random.default_rng(2)
    X, y = data(rng, 80)
    rows = np.repeat(np.arange(80), 5)
    with_groups = typicality(X[rows], y[rows], rows)
    without = typicality(X[rows], y[rows])
    assert np.median(with_groups.reference) > np.median(without.reference)


def test_scores_beside_p_values_and_without_classes():
    """`outlier_scores` gives both; without classes there is one Gaussian."""
    rng = np.random.default_rng(3)
    X, y = data(rng, 200)
    far = X[:5] + 50
    for codes in (y, None):
        scores, p = outlier_scores(X, codes, np.concatenate([X[:5], far]))
        assert scores[5:].min() > scores[:5].max()
        assert (p[5:] <= 0.01).all()


def test_too_few_items_are_told():
    """Nineteen items say nothing of what is typical."""
    with pytest.raises(DataError, match="cannot be learned from 19 items"):
        typicality(np.ones((19, 3)))
    assert np.isfinite(typicality(np.ones((20, 3))).p_values(np.ones((2, 3)))).all()


def test_far_out_on_the_side_of_a_class_is_not_typical_of_it():
    """Classes that are hard to tell apart: what lies further in their direction than any item is unlike them."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = rng.normal(size=(300, 16))
    X[:, 0] += 2.0 * y
    own = typicality(X, y)
    further = np.zeros((3, 16))
    further[:, 0] = (1.0, 8.0, 20.0)
    p_values = own.p_values(further)
    assert p_values[0] > 0.3
    assert p_values[2] <= p_values[1]
    assert own.unlike(p_values)[[0, 2]].tolist() == [False, True]
