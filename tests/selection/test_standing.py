"""Places and ties, and who runs on: nobody goes whose interval reaches the better half."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from icecore.evaluation import paired_difference
from icecore.selection import Heat, going_on, standings


def heat(*shares, n=200, seed=0, names="abcdefgh"):
    """Networks that are right so often, each by luck of its own."""
    rng = np.random.default_rng(seed)
    return Heat({name: rng.random(n) < share for name, share in zip(names, shares, strict=False)}, np.arange(n))


def places(*heats):
    return [(one.name, one.rank) for one in standings(heats)]


def test_those_far_apart_have_ranks_of_their_own():
    """Ranks count from one, the best first."""
    assert places(heat(0.3, 0.95, 0.6)) == [("b", 1), ("c", 2), ("a", 3)]


def test_those_that_cannot_be_told_apart_share_a_rank():
    """Ties are shown as ties, and the next rank counts them all."""
    assert [rank for _, rank in places(heat(0.9, 0.9, 0.3, 0.3))] == [1, 1, 3, 3]


def test_how_far_behind_is_a_paired_difference_with_its_interval():
    """Negative, 0 for the best, on the same rows."""
    one = heat(0.9, 0.6)
    best, other = standings([one])
    assert (best.behind.value, best.behind.low <= 0 <= best.behind.high) == (0, True)
    assert other.behind == paired_difference(one.gains["b"], one.gains["a"], one.groups)


def test_later_heats_have_the_last_word():
    """Two are compared on the last rows that both were tried on; who was left behind earlier comes after."""
    first, second = heat(0.9, 0.85, 0.3), heat(0.7, 0.95, n=800, seed=1)
    assert places(first, second) == [("b", 1), ("a", 2), ("c", 3)]
    assert [one.heats for one in standings([first, second])] == [2, 2, 1]


def test_the_better_half_runs_on():
    """Where all are far apart, half of them, rounded up, until one is left."""
    assert going_on(heat(0.95, 0.6, 0.7, 0.3, 0.2)) == ["a", "c", "b"]
    assert going_on(heat(0.95, 0.4)) == ["a"]


def test_who_may_be_of_the_better_half_runs_on():
    """A network just behind the last of the better half stays, though the best is out of its reach."""
    assert set(going_on(heat(0.95, 0.5, 0.48, 0.1))) == {"a", "b", "c"}


def test_a_network_alone_runs_on():
    """Its list has its own name."""
    assert going_on(heat(0.5)) == ["a"]


@settings(max_examples=100, deadline=None)
@given(
    shares=st.lists(st.floats(0.05, 0.95), min_size=1, max_size=8),
    n=st.integers(10, 300),
    seed=st.integers(0, 1000),
)
def test_halving_never_drops_one_whose_interval_reaches_the_best(shares, n, seed):
    """Whoever goes is in the worse half or in no doubt, and its 95 % interval to the best is below zero."""
    one = heat(*shares, n=n, seed=seed)
    kept = going_on(one)
    best = one.order[0]
    assert kept[0] == best
    for name in set(one.gains) - set(kept):
        assert one.behind(name, best).high < 0
    assert len(kept) >= len(shares) / 2


@settings(max_examples=50, deadline=None)
@given(shares=st.lists(st.floats(0.05, 0.95), min_size=2, max_size=8), seed=st.integers(0, 1000))
def test_ranks_only_rise_down_the_list(shares, seed):
    """Everybody is there once; the first has rank 1; a rank that begins is the place in the list."""
    found = standings([heat(*shares, seed=seed)])
    ranks = [one.rank for one in found]
    assert ranks == sorted(ranks)
    assert ranks[0] == 1
    assert sorted(one.name for one in found) == sorted("abcdefgh"[: len(shares)])
    assert all(place == rank or rank == ranks[place - 2] for place, rank in enumerate(ranks, 1))
