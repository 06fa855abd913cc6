"""Folds partition the rows, keep equal items together and classes in their shares; cross-validation never peeks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from icecore.errors import DataError, UsageError
from icecore.evaluation import cross_validate, duplicate_groups, folds, untested


@st.composite
def labelled(draw):
    """Labels with tiny classes, and groups of rows with one label."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    counts = draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    groups = np.arange(len(y))
    for _ in range(draw(st.integers(0, 10))):
        a, b = rng.integers(0, len(y), 2)
        if y[a] == y[b]:
            groups[groups == groups[b]] = groups[a]
    return y, groups


def items_of(y, groups, c):
    return np.unique(groups[y == c])


@settings(max_examples=150, deadline=None)
@given(labelled(), st.integers(2, 7), st.integers(0, 5))
def test_folds_partition_and_never_split_a_group(case, n_splits, seed):
    """Every row is tested exactly once, or is the only item of its class; train and test share no row and no group."""
    y, groups = case
    assume(any(len(items_of(y, groups, c)) > 1 for c in np.unique(y)))
    plan = folds(y, groups, n_splits=n_splits, seed=seed)
    tested = np.concatenate([test for _, test in plan])
    assert np.array_equal(np.sort(tested), np.flatnonzero(~untested(y, groups)))
    for train, test in plan:
        assert len(test) > 0
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
        assert not set(groups[train]) & set(groups[test])


@settings(max_examples=150, deadline=None)
@given(labelled(), st.integers(2, 7))
def test_classes_are_spread_and_tiny_ones_survive(case, n_splits):
    """Each class has its share of items in every test part, give or take one, and is in every training part."""
    y, groups = case
    assume(any(len(items_of(y, groups, c)) > 1 for c in np.unique(y)))
    plan = folds(y, groups, n_splits=n_splits)
    for c in np.unique(y):
        items = len(items_of(y, groups, c))
        in_test = [len(items_of(y[test], groups[test], c)) for _, test in plan]
        if items > 1:
            assert max(in_test) - min(in_test) <= 1
        assert all((y[train] == c).any() for train, _ in plan)


def test_test_parts_are_of_one_size():
    """Many classes with a remainder each do not pile up in one part."""
    plan = folds(np.repeat(np.arange(20), 6), n_splits=5)
    assert {len(test) for _, test in plan} == {24}


def test_equal_items_with_different_labels_stay_together():
    """A duplicate that carries two labels is still one item."""
    y, groups = np.array([0, 1, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 3, 4])
    for train, test in folds(y, groups, n_splits=2):
        assert not set(groups[train]) & set(groups[test])


def test_same_seed_same_folds_and_repeats_differ():
    """Folds repeat with the seed, and each repeat divides anew."""
    y = np.arange(40) % 4
    first, again = folds(y, repeats=2, seed=3), folds(y, repeats=2, seed=3)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert len(first) == 10
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first[:5], first[5:], strict=True))
    assert not np.array_equal(first[0][1], folds(y, seed=4)[0][1])


def test_never_more_folds_than_the_largest_class_has_items():
    """Three items of one class make three folds at most."""
    assert len(folds(np.array([0, 0, 0, 1, 1]), n_splits=5)) == 3


def test_nothing_to_fold_is_explained():
    """One item a class cannot be trained on and tested on."""
    with pytest.raises(DataError, match=r"No class has two different items.*Add labelled items"):
        folds(np.array([0, 1, 2]))
    with pytest.raises(DataError, match="No class has two different items"):
        folds(np.array([0, 0]), np.array([7, 7]))


def test_wrong_calls_are_explained():
    """One fold, or groups of another length, cannot be right."""
    with pytest.raises(UsageError, match="Asked for 1 folds"):
        folds(np.array([0, 0]), n_splits=1)
    with pytest.raises(UsageError, match="3 groups came with 2 labels"):
        folds(np.array([0, 0]), np.array([1, 2, 3]))


def test_a_million_rows_are_dealt():
    """Folds of large data are a matter of sorting."""
    y = np.arange(1_000_000) % 10
    assert [len(test) for _, test in folds(y)] == [200_000] * 5


def test_duplicates_share_a_group():
    """Equal row keys, equal groups, numbered in order."""
    assert duplicate_groups([b"x", b"y", b"x", b"z"]).tolist() == [0, 1, 0, 2]


def test_cross_validation_keeps_training_and_test_apart():
    """The callable is given every fold's rows, and its answers land in the rows tested."""
    y = np.arange(12) % 2
    seen = []

    def remember(train, test):
        seen.append((set(train), set(test)))
        return np.stack([test / 100, 1 - test / 100], axis=1)

    result = cross_validate(remember, y, 2, n_splits=3, repeats=2)
    assert len(seen) == 6
    assert all(not train & test for train, test in seen)
    assert np.allclose(result.proba[:, :, 0], np.arange(12) / 100)
    assert np.allclose(result.mean_proba[:, 0], np.arange(12) / 100)


def test_rows_without_a_companion_are_left_out_of_the_figures():
    """The only item of a class is never tested, and the figures count the others."""
    y = np.array([0] * 10 + [1] * 10 + [2])
    result = cross_validate(lambda train, test: np.eye(3)[y[test]] * 0.7 + 0.1, y, 3)
    assert result.tested.sum() == 20
    assert result.metrics()["accuracy"].value == 1


def test_repeats_average_the_value_and_add_no_items():
    """Right in one repeat and wrong in the next is one half, with the interval of the items there are."""
    y = np.arange(20) % 2
    calls = iter(range(4))
    answer = {0: 0, 1: 0, 2: 1, 3: 1}

    def flip(train, test):
        return np.eye(2)[y[test] ^ answer[next(calls)]] * 0.8 + 0.1

    found = cross_validate(flip, y, 2, n_splits=2, repeats=2).metrics()["accuracy"]
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.2993, 0.7007), abs=1e-4)  # 10 of 20


def test_progress_is_told():
    """The callback hears of each fold and of the end."""
    heard = []
    y = np.arange(6) % 2
    cross_validate(
        lambda train, test: np.full((len(test), 2), 0.5), y, 2, n_splits=3, progress=lambda *told: heard.append(told)
    )
    assert heard == [(0, 3, "fold 1 of 3"), (1, 3, "fold 2 of 3"), (2, 3, "fold 3 of 3"), (3, 3, "all folds done")]


def test_answers_of_the_wrong_shape_are_explained():
    """A callable that forgets a class is told which shape was expected."""
    with pytest.raises(UsageError, match=r"Expected finite probabilities of shape \(3, 2\)"):
        cross_validate(lambda train, test: np.ones((len(test), 1)), np.arange(6) % 2, 2, n_splits=2)
