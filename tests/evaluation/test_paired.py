"""The difference of two models on the same rows, and its interval."""

import numpy as np
import pytest

from icecore.errors import UsageError
from icecore.evaluation import paired_difference


@pytest.mark.parametrize("n", [20, 60, 300])
@pytest.mark.parametrize(("better", "worse"), [(0.0, 0.0), (0.02, 0.02), (0.15, 0.05), (0.3, 0.3), (0.5, 0.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n, better, worse):
    """In nineteen of twenty simulated comparisons, or more, the true difference is inside."""
    rng, times, inside = np.random.default_rng(n), 600, 0
    for _ in range(times):
        draw = rng.random(n)
        right = (draw < better).astype(float) + (draw > 1 - 0.2)
        reference = ((draw >= better) & (draw < better + worse)).astype(float) + (draw > 1 - 0.2)
        found = paired_difference(right, reference)
        inside += found.low <= better - worse <= found.high
    assert inside / times > 0.92


def test_models_that_are_no_different_are_seldom_told_apart():
    """Of two models that are equally good, one is called better (its interval above zero) in at most one of thirty."""
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(1500):
        right, reference = rng.random((2, 80)) < 0.7
        called += paired_difference(right, reference).low > 0
    assert called / 1500 < 1 / 30


def test_the_value_is_the_plain_difference():
    """Share right of the one minus share right of the other, inside its interval."""
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 50):
        right, reference = rng.random((2, n)) < 0.5
        found = paired_difference(right, reference)
        assert found.value == pytest.approx(right.mean() - reference.mean())
        assert -1 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("right", "reference", "value"), [(1, 0, 1.0), (0, 1, -1.0), (1, 1, 0.0), (0, 0, 0.0)])
@pytest.mark.parametrize("n", [1, 10, 1000])
def test_no_extreme_has_an_interval_without_width(right, reference, value, n):
    """All right, all wrong or all alike: there is doubt left, the less the more rows there are."""
    found = paired_difference(np.full(n, right), np.full(n, reference))
    assert found.value == value
    assert found.high - found.low > 0
    assert found.high - found.low < 5 / n + 0.01 or n == 1


def test_one_row_proves_nothing():
    """A single row that one model alone has right."""
    assert paired_difference(np.array([1]), np.array([0])).low < 0


def test_copies_of_an_item_count_once():
    """Every row four times, as one group, is what the rows alone are; without groups it would look surer."""
    rng = np.random.default_rng(2)
    right, reference = rng.random((2, 40)) < [[0.8], [0.6]]
    groups = np.repeat(np.arange(40), 4)
    alone = paired_difference(right, reference)
    grouped = paired_difference(np.repeat(right, 4), np.repeat(reference, 4), groups)
    assert (grouped.value, grouped.low, grouped.high) == pytest.approx((alone.value, alone.low, alone.high))
    sure = paired_difference(np.repeat(right, 4), np.repeat(reference, 4))
    assert sure.high - sure.low < 0.7 * (alone.high - alone.low)


def test_shares_of_several_answers():
    """Rows with several targets count by the share that is right."""
    found = paired_difference(np.array([1.0, 0.5, 0.5, 1.0] * 10), np.array([0.5, 0.5, 0.0, 0.5] * 10))
    assert found.value == pytest.approx(0.375)
    assert 0.2 < found.low < 0.375 < found.high < 0.55


@pytest.mark.parametrize(("right", "reference"), [([], []), ([1, 0], [1])])
def test_nothing_to_compare_is_told(right, reference):
    """No rows, or not as many of one as of the other."""
    with pytest.raises(UsageError, match=r"One each, at least one row\."):
        paired_difference(np.array(right), np.array(reference))
