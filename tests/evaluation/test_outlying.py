"""A class of another world is named; classes that are merely different are not."""

import numpy as np
import pytest

from icecore.evaluation import outlying_class


def classes(rng: np.random.Generator, k: int, n: int = 80, d: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Classes that can be told apart, in directions in which all of them vary."""
    mix = np.random.default_rng(5).normal(size=(12, d))
    y = np.repeat(np.arange(k), n)
    inner = rng.normal(size=(k, 12))[y] + rng.normal(size=(k * n, 12))
    return inner @ mix + 0.5 * rng.normal(size=(k * n, d)), y


@pytest.mark.parametrize("k", [4, 8, 20])
def test_the_odd_class_is_named_and_no_other(k):
    """Items that are moved away from all others, in directions of their own, are a class apart. Before none is."""
    rng = np.random.default_rng(k)
    X, y = classes(rng, k)
    assert outlying_class(X, y) is None
    X[y == 1] = rng.normal(size=40) * 3 + rng.normal(size=(80, 40))
    found = outlying_class(X, y)
    assert found.code == 1
    assert found.share >= 0.9
    assert found.others <= 0.4


def test_where_every_class_lies_apart_none_is_named():
    """Classes that are all far from each other are clear classes; two classes are each other's only measure."""
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(5), 60)
    far = 30 * rng.normal(size=(5, 30))[y] + rng.normal(size=(300, 30))
    assert outlying_class(far, y) is None
    assert outlying_class(far[:120], y[:120]) is None


def test_few_items_say_nothing():
    """Of a dozen items no class is called odd, and a class of one item is passed over."""
    X, y = classes(np.random.default_rng(2), 3, n=4)
    assert outlying_class(X, y) is None
