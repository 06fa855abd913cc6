"""Near-duplicates and leaks, on vectors whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore.evaluation import leaks, near_duplicates, near_pairs
from icecore.evaluation.duplicates import joined


def scattered(rng: np.random.Generator, n: int = 300, d: int = 32, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Classes around centres, and their codes."""
    y = np.arange(n) % k
    return rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[y], y


def test_planted_copies_are_found_and_nothing_else():
    """Slightly changed copies, in the same class and in another, join their originals; all other rows stay alone."""
    rng = np.random.default_rng(0)
    X, y = scattered(rng)
    copies = X[:40] + rng.normal(size=(40, 32)) * 0.05
    found = near_duplicates(np.concatenate([X, copies]), np.concatenate([y, (y[:40] + np.arange(40) % 2) % 3]))
    assert found[300:].tolist() == found[:40].tolist()
    assert len(np.unique(found)) == 300


def test_data_in_which_every_item_has_copies():
    """Five copies of each item do not hide each other: what is usual is measured beyond them."""
    rng = np.random.default_rng(1)
    X, y = scattered(rng, 120)
    many = np.repeat(X, 5, axis=0) + rng.normal(size=(600, 32)) * 0.03
    found = near_duplicates(many, np.repeat(y, 5))
    assert found.tolist() == np.repeat(np.arange(120), 5).tolist()


def test_a_tight_class_is_no_heap_of_duplicates():
    """What is near is measured by the class: items of a class that is dense all over are not joined."""
    rng = np.random.default_rng(2)
    X, y = scattered(rng)
    X[y == 0] = X[0] + 0.02 * rng.normal(size=((y == 0).sum(), 32))
    assert len(np.unique(near_duplicates(X, y))) == 300


@pytest.mark.parametrize("directions", [1, 2, 3, 5, 8])
def test_neighbours_on_a_line_or_a_plane_are_no_duplicates(directions):
    """Items that vary in few directions have near neighbours by chance: next to none are joined, copies still are."""
    rng = np.random.default_rng(directions)
    at = rng.uniform(size=(300, directions))
    X = np.cos(at @ rng.normal(size=(directions, 64)) + rng.uniform(0, 6, 64))
    X[1] = X[0] + 1e-7
    found = near_duplicates(X)
    # on a line single precision cannot tell the nearest from copies
    assert directions == 1 or found[1] == found[0]
    assert len(np.unique(found)) >= 300 - (20 if directions == 1 else 8)


def test_known_groups_are_joined_and_chains_connected():
    """A is near B and B is known to belong to C: one group."""
    rng = np.random.default_rng(3)
    X, y = scattered(rng, 60)
    X[1] = X[0] + 0.01
    groups = np.arange(60)
    groups[2] = 1
    assert near_duplicates(X, y, groups)[:4].tolist() == [0, 0, 0, 1]


def test_pairs_come_once_with_their_cosine():
    """First row first; scale does not matter, features that never vary neither."""
    rng = np.random.default_rng(4)
    X, y = scattered(rng, 60)
    X[50] = X[7] + 0.01
    X = np.concatenate([1000 * X, np.ones((60, 3))], axis=1)
    pairs, cosines = near_pairs(X, y)
    assert pairs.tolist() == [[7, 50]]
    assert cosines[0] > 0.99


def test_the_blocks_do_not_show():
    """More rows than a block holds give the pairs that one block would."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(5000, 8))
    X[4999], X[4998] = X[0] + 1e-3, X[2500] + 1e-3
    pairs = {tuple(pair) for pair in near_pairs(X, share=0.001)[0].tolist()}
    assert pairs == {(0, 4999), (2500, 4998)}


def test_few_rows_and_equal_rows():
    """No rows, one row, rows that are all the same."""
    assert near_duplicates(np.empty((0, 4))).tolist() == []
    assert near_duplicates(np.ones((1, 4))).tolist() == [0]
    assert near_pairs(np.ones((5, 4)))[0].shape == (0, 2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.02, 0.1, 0.2]))
def test_planes_find_what_comparing_all_finds(seed, classes, noise):
    """Where not all are compared with all, what is found is of what comparing them finds, and nearly all of it."""
    rng = np.random.default_rng(seed)
    X, y = scattered(rng, 240, k=classes)
    X = np.concatenate([X, X[:60] + noise * rng.normal(size=(60, 32))])
    y = np.concatenate([y, y[:60]])
    all_pairs = {tuple(pair) for pair in near_pairs(X, y)[0].tolist()}
    found, cosines = near_pairs(X, y, whole=0)
    assert {tuple(pair) for pair in found.tolist()} <= all_pairs
    assert len(found) >= 0.95 * len(all_pairs)
    assert (cosines >= 0.9).all()


def test_rows_that_are_all_alike_are_bounded():
    """Thousands of rows that point the same way are no thousands of thousands of comparisons."""
    X = np.ones((4000, 8), np.float32)
    X[:, 0] += np.random.default_rng(0).normal(size=4000).astype(np.float32) * 1e-3
    pairs, _ = near_pairs(X, whole=0)
    assert len(pairs) <= 24 * 64 * 4000


@pytest.mark.slow
def test_a_hundred_thousand_items():
    """Copies of 500 of 100,000 items are found, at least 97 in 100, and next to nothing else."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 100_000)
    X = (rng.normal(size=(100_000, 24)) + 2 * rng.normal(size=(10, 24))[y]).astype(np.float32)
    X = X @ rng.normal(size=(24, 128)).astype(np.float32)
    X[-500:] = X[:500] + 0.3 * rng.normal(size=(500, 128)).astype(np.float32)
    y[-500:] = y[:500]
    groups = near_duplicates(X, y)
    assert (groups[-500:] == groups[:500]).mean() >= 0.97
    assert len(np.unique(groups)) >= 99_400


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=20).flatmap(
        lambda groups: st.tuples(
            st.just(groups),
            st.lists(st.tuples(*[st.integers(0, len(groups) - 1)] * 2), max_size=10),
        )
    )
)
def test_joining_keeps_together_what_was(case):
    """Whatever the groups and pairs: who was together stays so, each pair is, and numbers come in order."""
    groups, pairs = case
    found = joined(np.array(groups), np.array(pairs, np.intp).reshape(-1, 2))
    for a in range(len(groups)):
        for b in range(len(groups)):
            assert groups[a] != groups[b] or found[a] == found[b]
    assert all(found[a] == found[b] for a, b in pairs)
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))


def test_leaks_name_the_rows_and_their_partners():
    """Into test from train and val, into val from train; a split alone has none."""
    splits = np.array(["train", "val", "test", "test", "train", "val"])
    found = leaks(splits, np.array([0, 1, 1, 2, 3, 0]))
    assert [(one.split, one.rows.tolist(), one.partners.tolist(), one.total) for one in found] == [
        ("test", [2], [1], 2),
        ("val", [5], [0], 2),
    ]
    assert leaks(splits, np.arange(6)) == []
