"""Choice, fit and score on rows that are not in memory."""

from __future__ import annotations

import numpy as np
import pytest

from icecore.heads.piecewise import PiecewiseHead
from icecore.selection import choose, features_of, fit_candidate, held_out, in_memory, test_apart
from icecore.selection.candidates import IN_PIECES, Candidate
from tests.heads.test_pieces import Elsewhere
from tests.selection.examples import blobs, noise

test_apart.__test__ = False  # a function of the package, not a test


def test_auto_means_the_heads_that_can_be_fitted_so():
    """Of many rows elsewhere a part is read to choose on; only heads that take pieces are tried."""
    X, y = blobs(9000, distance=2.0)
    there = {"layer.1": Elsewhere(noise(9000)), "last": Elsewhere(X)}
    choice = choose(there, y, 3)
    assert {one.candidate.head for one in choice.table} <= set(IN_PIECES)
    assert "last" in np.atleast_1d(choice.candidate.layer)
    assert max(rows.most for rows in there.values()) <= 4000
    assert all(
        isinstance(fit_candidate(Candidate("last", head), {"last": X}, y, 3), PiecewiseHead) for head in IN_PIECES
    )


def test_a_choice_elsewhere_is_the_choice_in_memory():
    """With the same heads, rows and folds."""
    X, y = blobs(900, distance=2.0)
    features = {"layer.1": noise(900), "last": X}
    there = {name: Elsewhere(rows) for name, rows in features.items()}
    assert choose(there, y, 3, heads=["ridge", "svm"]) == choose(features, y, 3, heads=["ridge", "svm"])


def test_a_part_is_kept_apart():
    """A fifth of few rows, some 50,000 of many; classes in their shares, equal items on one side."""
    y = np.arange(1000) % 4
    groups = np.arange(1000) // 2
    splits = test_apart(y, groups, seed=0)
    assert (splits == "test").sum() == pytest.approx(200, abs=8)
    assert not set(groups[splits == "test"]) & set(groups[splits == "train"])
    many = test_apart(np.arange(400_000) % 2, np.arange(400_000), seed=0)
    assert (many == "test").sum() == 50_000


def test_heads_that_need_their_rows_learn_from_some_of_them():
    """Trained on 20,000 at most, and said; the prediction is of all rows of the test part."""
    X, y = blobs(30_000, distance=3.0)
    there = {"last": Elsewhere(X)}
    result = held_out(there, y, 3, test_apart(y, np.arange(len(y)), seed=0), heads=["centroid"])
    assert (result.learned, len(result.fit_rows)) == (12_000, 24_000)
    assert result.proba.shape == (6000, 3)
    assert result.metrics()["accuracy"].value > 0.9
    whole = held_out(there, y, 3, test_apart(y, np.arange(len(y)), seed=0), heads=["ridge:alpha=1"])
    assert whole.learned == len(whole.fit_rows) == 24_000
    assert there["last"].most <= 12_000


def test_given_validation_rows_are_read_in_part():
    """The choice on given validation rows reads some of both sides, and follows them."""
    X, y = blobs(20_000, distance=3.0)
    splits = np.repeat(["train", "val", "test"], [9000, 9000, 2000])
    there = {"bad": Elsewhere(noise(20_000)), "last": Elsewhere(X)}
    result = held_out(there, y, 3, splits, heads=["ridge"])
    assert "last" in np.atleast_1d(result.choice.candidate.layer)
    assert len(result.fit_rows) == 18_000
    assert there["last"].most <= 8000


def test_several_layers_elsewhere_are_side_by_side():
    """Joint layers stay where they are, until some rows are asked for."""
    X, _ = blobs(50)
    there = {"a": Elsewhere(X), "b": Elsewhere(X + 1)}
    both = features_of(there, ("a", "b"))
    assert not in_memory(there)
    assert (both.shape, there["a"].most) == ((50, 12), 0)
    np.testing.assert_array_equal(both[:3], np.hstack([X, X + 1])[:3])
