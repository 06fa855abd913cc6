"""Heads fitted on rows that come in pieces are the heads fitted on the same rows in memory."""

from __future__ import annotations

import numpy as np
import pytest

from icecore import heads
from icecore.errors import HeadError
from icecore.heads.rows import ROWS_AT_ONCE, SideBySide, Some

IN_PIECES = ["ridge", "logistic", "svm"]


class Elsewhere:
    """Rows that are handed out a few at a time, and know how many were asked for at once at most."""

    def __init__(self, X):
        self.X, self.most = X, 0

    @property
    def shape(self):
        return self.X.shape

    def __len__(self):
        return len(self.X)

    def __getitem__(self, at):
        self.most = max(self.most, len(self.X[at]))
        return self.X[at]


def example(n=9000, d=24, k=4, *, seed=0):
    """Rows of k classes that overlap, far from zero and of very different spread along their axes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    X = (rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(k, d))[y]) * np.arange(1, d + 1) ** -0.7 @ turn + 20
    return X.astype(np.float32), y


def weights(head, X):
    """Of features of spread one, the bias last."""
    linear = head.steps_[0]
    return np.vstack([linear.weight * X.std(axis=0)[:, None], linear.bias + X.mean(axis=0) @ linear.weight])


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize(("name", "k"), [("ridge", 4), ("ridge", 2), ("logistic", 4), ("logistic", 2), ("svm", 4)])
def test_the_weights_are_those_of_a_fit_in_memory(name, k, class_weight):
    """To 1e-6 of their size for ridge and 1e-2 for what is minimised in float32; probabilities to 0.005, or 0.02."""
    X, y = example(k=k)
    y[y == 1] = np.where(np.arange((y == 1).sum()) % 3, 0, 1)  # a rare class
    there = Elsewhere(X)
    pieces = heads.make(name, class_weight=class_weight).fit_in_pieces(there, y, n_classes=k)
    whole = heads.make(name, class_weight=class_weight).fit(X, y, n_classes=k)
    tolerance = 1e-6 if name == "ridge" else 1e-2
    scale = np.abs(weights(whole, X)).max()
    np.testing.assert_allclose(weights(pieces, X), weights(whole, X), atol=tolerance * scale)
    np.testing.assert_allclose(
        pieces.predict_proba(X), whole.predict_proba(X), atol=5e-3 if name == "logistic" else 2e-2
    )
    assert there.most <= ROWS_AT_ONCE


def test_no_more_than_a_piece_is_held_for_the_sums():
    """Logistic regression, which has no temperature, never asks for more than a few thousand rows at once."""
    X, y = example()
    there = Elsewhere(X)
    heads.make("logistic").fit_in_pieces(there, y, n_classes=4)
    assert there.most == ROWS_AT_ONCE < len(X)


@pytest.mark.parametrize("name", IN_PIECES)
def test_absent_classes_keep_their_columns(name):
    """As in memory: what no row has is the likeliest nowhere, and a single class is always right."""
    X, y = example(400, k=2)
    head = heads.make(name).fit_in_pieces(Elsewhere(X), y + 1, n_classes=4)
    proba = head.predict_proba(X)
    assert proba.shape == (400, 4)
    assert (proba[:, [0, 3]] == 0).all()
    alone = heads.make(name).fit_in_pieces(Elsewhere(X), np.full(400, 2), n_classes=4)
    assert (alone.predict_proba(X) == [0, 0, 1, 0]).all()


@pytest.mark.parametrize("name", IN_PIECES)
def test_what_cannot_be_learned_is_told(name):
    """NaN in some piece, and codes that do not fit."""
    X, y = example(6000)
    X[5000, 3] = np.nan
    with pytest.raises(HeadError, match="1 of 1904 rows of features hold NaN or infinity"):
        heads.make(name).fit_in_pieces(Elsewhere(X), y, n_classes=4)
    with pytest.raises(HeadError, match=r"class codes of shape \(10,\)"):
        heads.make(name).fit_in_pieces(Elsewhere(X), y[:10], n_classes=4)


def test_a_fit_in_pieces_is_saved_like_others():
    """Its state restores it."""
    X, y = example(500)
    head = heads.make("ridge").fit_in_pieces(Elsewhere(X), y, n_classes=4)
    np.testing.assert_allclose(heads.restore(*head.state()).predict_proba(X), head.predict_proba(X))


def test_rows_are_some_of_others_and_side_by_side():
    """Slices and positions of what was taken and joined are those of the arrays; nothing is read before."""
    X = np.arange(24.0).reshape(8, 3)
    there = Elsewhere(X)
    at = np.array([6, 1, 3])
    both = SideBySide([Some(there, at), Some(there, at)])
    assert (both.shape, len(both), there.most) == ((3, 6), 3, 0)
    expected = np.hstack([X[at], X[at]])
    np.testing.assert_array_equal(both[1:], expected[1:])
    np.testing.assert_array_equal(both[np.array([2, 0])], expected[[2, 0]])
