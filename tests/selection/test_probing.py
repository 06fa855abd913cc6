"""Quick probes of every layer: they find what is there, and do not flatter whoever has many layers."""

import numpy as np
import pytest

from icecore.evaluation import folds
from icecore.selection import probe, transfer_scores
from icecore.selection.crossing import crossed
from icecore.tasks import Regression


def rows(n=120, k=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng, np.arange(n) % k, np.arange(n)


def blobs(rng, y, apart, d=6):
    """Features whose class means are so far apart."""
    return (rng.normal(size=(len(y), d)) + apart * np.eye(y.max() + 1, d)[y]).astype(np.float32)


def test_the_layer_that_knows_the_classes_is_found():
    """The best layer, and every score of it, are those of the layer that separates the classes."""
    rng, y, groups = rows()
    features = {"a": blobs(rng, y, 0), "b": blobs(rng, y, 4), "last": blobs(rng, y, 1)}
    found = probe(features, y, 3, groups, folds(y))
    by_layer = {score.layer: score for score in found.layers}
    assert list(by_layer) == ["a", "b", "last", ("a", "b")]
    assert "b" in found.best.layer
    assert by_layer["b"].score.low > by_layer["a"].score.high
    scores = transfer_scores(features, y, 3, groups, folds(y))
    a, b, *_ = scores.layers
    for name in ("knn", "centroid", "logme", "h_score"):
        assert getattr(b, name).low > getattr(a, name).high
    assert scores.best.logme == b.logme
    assert found.score.value == pytest.approx(found.gains.mean())
    assert found.score.value > 0.9


def test_many_layers_of_noise_are_worth_no_more_than_chance():
    """With forty layers of noise the best one's own figure is above chance, and the network's is not: its layer was
    chosen without the rows that score it.
    """
    rng, y, groups = rows(90, seed=1)
    features = {f"layer{i}": blobs(rng, y, 0) for i in range(40)}
    found = probe(features, y, 3, groups, folds(y, repeats=2), heads=("ridge",))
    assert max(score.score.value for score in found.layers) > 0.42
    assert found.score.low < 1 / 3 < found.score.high


def test_a_choice_never_sees_the_rows_that_it_scores():
    """A candidate that is right on one fold alone is chosen for the others, where it is wrong."""
    parts = np.array([[0, 0, 1, 1, 2, 2]])
    hits = np.array([[[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]])
    assert crossed(hits, parts).tolist() == [0, 0, 0, 0, 0, 0]


def test_repeats_count_as_one_answer_a_row():
    """Folds drawn twice give shares of right answers, and no narrower an interval."""
    rng, y, groups = rows()
    features = {"last": blobs(rng, y, 1.5)}
    once, twice = (probe(features, y, 3, groups, folds(y, repeats=repeats)) for repeats in (1, 2))
    assert set(np.unique(once.gains)) == {0, 1}
    assert len(twice.gains) == len(y)
    assert set(np.unique(twice.gains)) <= {0, 0.5, 1}
    assert twice.score.high - twice.score.low == pytest.approx(once.score.high - once.score.low, rel=0.15)


def test_equal_items_count_once_and_never_straddle():
    """Every row four times, as one item: what is remembered is no knowledge, and the interval is that of the items."""
    rng, y, _ = rows(60)
    X, many, groups = np.repeat(blobs(rng, y, 0), 4, axis=0), np.repeat(y, 4), np.repeat(np.arange(60), 4)
    found = probe({"last": X}, many, 3, groups, folds(many, groups), heads=("knn",))
    assert found.score.low < 1 / 3 < found.score.high
    assert found.score.high - found.score.low > 0.2


def test_probes_may_be_any_heads():
    """Named heads and scikit-learn's own may be probes."""
    from sklearn.tree import DecisionTreeClassifier

    rng, y, groups = rows(60)
    found = probe({"last": blobs(rng, y, 4)}, y, 3, groups, folds(y), heads=("logistic", DecisionTreeClassifier()))
    assert found.score.value > 0.7


def test_ridge_from_one_decomposition_is_ridge_in_every_fold():
    """What no fold's fit would say otherwise: but for the scale, ridge alone and ridge beside others answer alike."""
    rng, y, _ = rows(90)
    groups = np.repeat(np.arange(45), 2)  # equal items stay together
    y = np.repeat(y[:45], 2)
    features = {"last": blobs(rng, y, 1.0)}
    plan = folds(y, groups, repeats=2)
    alone = probe(features, y, 3, groups, plan, heads=("ridge",))
    beside = probe(features, y, 3, groups, plan, heads=("ridge", "ridge:alpha=1"))
    assert np.abs(alone.gains - beside.gains).mean() < 0.05


def test_numbers_are_probed_by_r2():
    """The layer that knows the number is found, LogME agrees, and centroid and H-score have nothing to say."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=150)
    knows = rng.normal(size=(150, 5)).astype(np.float32)
    knows[:, 0] += 3 * y
    features = {"a": rng.normal(size=(150, 5)).astype(np.float32), "last": knows}
    task = Regression()
    found = probe(features, y, task, np.arange(150), folds(task.strata(y)))
    other, last = found.layers
    assert found.best.layer == "last"
    assert last.score.low > 0.7
    assert other.score.high < 0.2
    scores = transfer_scores(features, y, task, np.arange(150), folds(task.strata(y)))
    assert scores.layers[1].logme.low > scores.layers[0].logme.high
    assert scores.best.knn.low > 0.3
    assert (scores.best.centroid, scores.best.h_score) == (None, None)


def test_rare_classes_count_as_much_where_that_is_asked_for():
    """With `balanced`, a probe that never says the rare class has half the score."""
    rng = np.random.default_rng(0)
    y = (np.arange(100) >= 90).astype(int)
    X = {"last": rng.normal(size=(100, 3)).astype(np.float32)}
    plain, balanced = (
        probe(X, y, 2, np.arange(100), folds(y), heads=("ridge",), class_weight=weight) for weight in (None, "balanced")
    )
    assert plain.score.value > 0.8
    assert balanced.score.low < 0.5 < balanced.score.high
