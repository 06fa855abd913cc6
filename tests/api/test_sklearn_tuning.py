"""`TransferClassifier.fine_tune`: the tuned network where it is adopted, the frozen one where it is not."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from icecore import TransferClassifier
from icecore.errors import BadItemsError, UsageError
from tests.small import BACKBONE, labelled
from tests.tuning import network, orders

FAST = {"epochs": 8, "learning_rate": 1e-2, "batch_size": 16, "mixup": 0.0, "folds": 1}


@pytest.fixture
def data():
    """Pictures of both orders as arrays, with their labels, and others."""
    return [(np.stack([np.asarray(p) for p in X]), y) for X, y in (orders(40), orders(15, seed=1))]


def test_an_adopted_network_predicts(data, tmp_path):
    """What frozen features cannot tell is right on new pictures after `fine_tune`, which gives the estimator back."""
    (X, y), (new, truth) = data
    model = TransferClassifier(network(), store=tmp_path).fit(X, y)
    assert model.score(new, truth) < 0.75
    assert model.fine_tune(X, y, unfreeze=1, **FAST) is model
    assert (model.tuning_.adopted, model.layers_) == (True, "last")
    assert model.score(new, truth) > 0.9
    assert model.predict_proba(new).shape == (30, 2)


def test_a_pickle_holds_the_tuned_network(colours, store):
    """For other processes: the tuned network goes with the estimator, and what was changed of it."""
    paths, labels = labelled(colours)
    model = TransferClassifier(BACKBONE, store=store).fit(paths, labels)
    model.fine_tune(paths, labels, unfreeze=1, keep=True, epochs=1, folds=1)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict_proba(paths), model.predict_proba(paths), atol=1e-6)
    assert len(again.network_.changes) == 1


def test_a_declined_network_changes_nothing(data, tmp_path):
    """Random labels: the report is there, the predictions are those of before."""
    (X, _), (new, _) = data
    y = np.random.default_rng(0).integers(2, size=len(X))
    model = TransferClassifier(network(), store=tmp_path).fit(X, y)
    before = model.predict_proba(new)
    model.fine_tune(X, y, unfreeze=1, **FAST)
    assert not model.tuning_.adopted
    np.testing.assert_array_equal(model.predict_proba(new), before)


def test_fit_and_clone_begin_with_the_frozen_network(data, tmp_path):
    """Tuning is no parameter: a clone is frozen, and a fit forgets it."""
    (X, y), (new, _) = data
    model = TransferClassifier(network(), layer=["blocks.0", "last"], store=tmp_path).fit(X, y)
    frozen = model.predict_proba(new)
    model.fine_tune(X, y, unfreeze=1, keep=True, **FAST)
    assert np.abs(model.predict_proba(new) - frozen).max() > 1e-3
    for other in (clone(model), model):
        np.testing.assert_allclose(other.fit(X, y).predict_proba(new), frozen, atol=1e-9)


def test_it_is_tuned_again(data, tmp_path):
    """A second tuning begins where the first ended."""
    (X, y), (new, truth) = data
    model = TransferClassifier(network(), store=tmp_path).fit(X, y).fine_tune(X, y, unfreeze=1, **FAST)
    first = model.network_
    model.fine_tune(X, y, unfreeze=2, keep=True, **FAST)
    assert len(first.changes) == 1
    assert len(model.network_.changes) == 2
    assert model.score(new, truth) > 0.9


def test_labels_keep_their_type(data, tmp_path):
    """Numbers in, numbers out."""
    (X, y), _ = data
    codes = np.array([3 if label == "red first" else 7 for label in y])
    model = TransferClassifier(network(), store=tmp_path, head="ridge").fit(X, codes)
    model.fine_tune(X, codes, unfreeze=1, keep=True, **FAST)
    assert set(model.predict(X).tolist()) <= {3, 7}


def test_features_already_made_are_told(tmp_path):
    """There is no network below them, whether fitted on or given."""
    X, y = np.eye(6), [0, 0, 0, 1, 1, 1]
    plain = TransferClassifier().fit(X, y)
    pictures, labels = orders(4)
    arrays = np.stack([np.asarray(picture) for picture in pictures])
    fitted = TransferClassifier(network(), store=tmp_path).fit(arrays, labels)
    for model, given in ((plain, X), (plain, arrays), (fitted, X)):
        with pytest.raises(UsageError, match="Features already made cannot be fine-tuned"):
            model.fine_tune(given, y)


def test_what_else_is_told(data, tmp_path):
    """Not fitted, an item that cannot be read, a setting that there is not."""
    (X, y), _ = data
    with pytest.raises(NotFittedError):
        TransferClassifier(network()).fine_tune(X, y)
    model = TransferClassifier(network(), store=tmp_path).fit(X, y)
    with pytest.raises(UsageError, match="Did you mean epochs"):
        model.fine_tune(X, y, epoch=1)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(BadItemsError):
        model.fine_tune([str(tmp_path / "bad.png")] * 2, ["red first", "blue first"], **FAST)
