"""Several heads as one: the weighted mean of what they say, fitted, saved and fitted again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from icecore import heads
from icecore.errors import HeadError
from icecore.heads.ensemble import Ensemble, Member
from icecore.testing.heads import (
    check_absent_classes,
    check_arguments_stay,
    check_deterministic,
    check_state,
    check_unfitted,
    example,
)

BOTH = Ensemble(
    (
        Member("ridge", 0.3, ((0, 3), (5, 8)), 0.75),
        Member("svm-rbf:C=3", None, ((2, 6),), 0.25),
    )
)


def narrow(widths=((0, 1),)):
    """Heads that read one feature, which the checks with one feature ask for."""
    return Ensemble((Member("ridge", 0.3, widths, 0.5), Member("knn:k=3", None, widths, 0.5)))


def test_it_is_the_weighted_mean_of_its_heads():
    """Each head reads its own features, in the order of its spans."""
    X, y = example()
    proba = heads.make(BOTH).fit(X, y, n_classes=3).predict_proba(X)
    own = np.hstack([X[:, :3], X[:, 5:8]])
    ridge = heads.make("ridge", penalty=0.3).fit(own, y, n_classes=3).predict_proba(own)
    rbf = heads.make("svm-rbf:C=3").fit(X[:, 2:6], y, n_classes=3).predict_proba(X[:, 2:6])
    np.testing.assert_allclose(proba, 0.75 * ridge + 0.25 * rbf, atol=1e-12)


def test_it_keeps_the_contract_of_heads():
    """As far as its width goes, it is a head like any other: saved as JSON and arrays, fitted again, deterministic."""
    for make in (lambda: heads.make(narrow()), lambda: heads.make(narrow(), class_weight="balanced")):
        head = make().fit(*example(d=1), n_classes=3)
        config, arrays = head.state()
        restored = heads.restore(json.loads(json.dumps(config)), arrays)
        X, y = example(d=1)
        np.testing.assert_allclose(restored.predict_proba(X), head.predict_proba(X), atol=1e-9)
        restored.fit(X, y, n_classes=3)
        np.testing.assert_allclose(restored.predict_proba(X), head.predict_proba(X), atol=1e-9)
    for check in (check_absent_classes, check_arguments_stay, check_deterministic, check_state, check_unfitted):
        check(lambda: heads.make(BOTH))


def test_what_it_stores_is_said():
    """It stores training rows where one of its heads does."""
    assert heads.make(BOTH).stores_training_rows
    assert not heads.make(Ensemble((Member("ridge", 1.0, ((0, 2),), 1.0),))).stores_training_rows


def test_heads_over_many_layers_keep_their_layers_in_it():
    """The spans of a member are the layers that it knows apart, before and after it was saved."""
    X, y = example(d=12)
    spans = ((0, 4), (8, 12))
    head = heads.make(Ensemble((Member("layer-sum", 0.1, spans, 0.5), Member("ridge", 1.0, ((4, 8),), 0.5))))
    head.fit(X, y, n_classes=3)
    restored = heads.restore(*head.state())
    assert restored.parts[0].head.widths == (4, 4)
    np.testing.assert_allclose(restored.predict_proba(X), head.predict_proba(X), atol=1e-9)


def test_too_few_features_are_explained():
    """Spans that reach further than the features are an error that says how far."""
    X, y = example(d=4)
    with pytest.raises(HeadError, match="2 heads of an ensemble read 8 features, and there are 4"):
        heads.make(BOTH).fit(X, y, n_classes=3)
    with pytest.raises(HeadError, match="The head 'ensemble' has not been fitted"):
        heads.make(BOTH).predict_proba(X)
