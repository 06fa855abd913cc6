"""Several heads judge every item, none of them having seen it."""

import numpy as np
import pytest

from icecore.evaluation import suspects
from icecore.selection import opinions


@pytest.mark.parametrize("classes", [2, 5, 12])
def test_flipped_labels_are_found_by_several_heads(classes):
    """Of 5 % labels flipped at random, at least 60 % are found, and at least 80 % of what is found is among them."""
    rng = np.random.default_rng(classes)
    y = np.arange(900) % classes
    X = (rng.normal(size=(900, 20)) + 1.5 * rng.normal(size=(classes, 20))[y]).astype(np.float32)
    wrong = rng.permutation(900)[:45]
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + rng.integers(1, classes, 45)) % classes
    said = opinions(X, noisy, classes)
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-6)
    found = {one.row for one in suspects(noisy, said)}
    assert len(found & set(wrong.tolist())) >= 0.6 * 45
    assert len(found & set(wrong.tolist())) >= 0.8 * len(found)


def test_copies_do_not_vouch_for_a_label():
    """Two copies of an item with the same wrong label are found where they are known to be one."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = np.float32(rng.normal(size=(300, 10)) + 4 * np.eye(3, 10)[y])
    X, y, groups = (
        np.concatenate([X, X[:9]]),
        np.concatenate([y, y[:9]]),
        np.concatenate([np.arange(300), np.arange(9)]),
    )
    y[[0, 300]] = 1
    assert {0, 300} <= {one.row for one in suspects(y, opinions(X, y, 3, groups))}


def test_what_cannot_be_asked():
    """A class of one item is not judged; of too many rows or features nothing is said."""
    rng = np.random.default_rng(0)
    y = np.r_[np.arange(60) % 2, 2]
    said = opinions(np.float32(rng.normal(size=(61, 4)) + 3 * y[:, None]), y, 3)
    assert np.isnan(said[60]).all()
    assert np.isfinite(said[:60]).all()
    assert opinions(np.zeros((20_001, 1), np.float32), np.arange(20_001) % 2, 2) is None
