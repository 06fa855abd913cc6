"""Heads over many layers and ensembles, from pictures to a saved model and on."""

from __future__ import annotations

import json

import numpy as np
import pytest

import icecore
from icecore import TransferClassifier, TransferModel, artifact, heads
from icecore.artifact import Predictor
from icecore.errors import HeadError
from icecore.heads.ensemble import Ensemble, Member
from icecore.heads.head2toe import Head2ToeHead
from icecore.heads.layer_sum import LayerSumHead
from tests.small import BACKBONE, labelled
from tests.tuning import network, orders

QUICK = {"folds": 2, "repeats": 1, "progress": False}


def saved_and_loaded(model, folder, store):
    model.save(folder / "model.icecore")
    return TransferModel.load(folder / "model.icecore", store=store)


def test_head2toe_reads_all_layers(colours, store, tmp_path):
    """Without a word about layers it reads every block, of whatever width, and is the same after saving."""
    model = icecore.fit(colours, backbone=BACKBONE, head="head2toe", store=store, **QUICK)
    (target,) = model.manifest.targets
    assert len(target.columns) > 2
    assert target.chosen["head"].startswith("head2toe, penalty ")
    assert model.report.targets[0].metrics["accuracy"].value > 0.9
    loaded = saved_and_loaded(model, tmp_path, store)
    head = loaded._fitted.heads["label"]
    assert isinstance(head, Head2ToeHead)
    assert sum(head.widths) == head.n_features_
    files = sorted(colours.rglob("*.png"))[:4]
    np.testing.assert_allclose(loaded.predict(files).probabilities, model.predict(files).probabilities, atol=1e-6)
    assert loaded.evaluate(colours, progress=False).metrics["label"]["accuracy"].value == 1.0


def test_a_sum_of_layers_of_one_width(tmp_path):
    """A network of equal blocks: the weights of its layers are learnt, and saved."""
    images, labels = orders(20)
    net = network(blind=False)
    model = icecore.fit(images, labels, backbone=net, head="layer-sum:C=1", store=tmp_path / "store", **QUICK)
    head = model._fitted.heads["label"]
    assert isinstance(head, LayerSumHead)
    assert head.layer_weights.shape == (3,)
    assert head.layer_weights.sum() == pytest.approx(1)
    again = heads.restore(*head.state())
    np.testing.assert_allclose(again.layer_weights, head.layer_weights)


def test_layers_of_different_widths_cannot_be_added_up(colours, store):
    """What to do instead is said."""
    with pytest.raises(HeadError, match=r"layer-sum adds layers up, and these have .* widths: .*take head2toe"):
        icecore.fit(colours, backbone=BACKBONE, head="layer-sum", store=store, **QUICK)


@pytest.mark.parametrize("options", [{"head": "head2toe"}, {"head": "layer-sum"}, {"ensemble": True}])
def test_numbers_are_refused_before_any_work(colours, store, options):
    """Heads over many layers and ensembles tell classes apart; the message says so, and what to do."""
    paths, labels = labelled(colours)
    numbers = [len(label) + 0.5 for label in labels]
    with pytest.raises(HeadError, match="the task of 'label' is regression"):
        icecore.fit(paths, numbers, backbone=BACKBONE, store=store, task="regression", **options, **QUICK)


def test_the_estimator_takes_them(colours, store):
    """`TransferClassifier` over several layers."""
    paths, labels = labelled(colours)
    model = TransferClassifier(BACKBONE, layer="all", head="head2toe", store=store).fit(paths, labels)
    assert isinstance(model.layers_, tuple)
    assert (model.predict(paths) == labels).all()


def test_a_fit_says_what_an_ensemble_gains(colours, store, tmp_path):
    """Where one head is right everywhere, an ensemble cannot pay: it is reported and left."""
    model = icecore.fit(colours, backbone=BACKBONE, ensemble=True, store=store, **QUICK)
    told = model.report.targets[0].ensemble
    assert not told.adopted
    assert told.gain.low <= 0 <= told.gain.high
    assert set(told.seconds) == {"single", "ensemble"}
    found = model.report.to_json()["ensemble"]
    assert json.loads(json.dumps(found))["adopted"] is False
    loaded = saved_and_loaded(model, tmp_path, store)
    assert loaded.manifest.targets[0].chosen["ensemble"]["adopted"] is False


@pytest.fixture
def ensemble(tmp_path):
    """A model whose head is an ensemble over the blocks of a network, and its data."""
    images, labels = orders(20)
    model = icecore.fit(
        images, labels, backbone=network(blind=False), head="head2toe:keep=1", store=tmp_path / "store", **QUICK
    )
    spec = Ensemble((Member("ridge", 0.3, ((0, 12), (24, 36)), 0.75), Member("svm-rbf", 0.3, ((12, 24),), 0.25)))
    read = [column.layer for column in model._fitted.columns]
    features = model.net.extract_features(images, layers=read, store=tmp_path / "store", progress=False)
    X = np.hstack([features[name] for name in read])
    y = np.unique(labels, return_inverse=True)[1]
    head = heads.make(spec).fit(X, y, n_classes=2)
    old = model._fitted
    model._predictor = Predictor(old.manifest, old.backbone, {"label": head}, base=old.base)
    return model, images, labels, head.predict_proba(X)


def test_a_model_holds_several_heads(ensemble, tmp_path):
    """An ensemble is saved without pickle, loaded, and predicts the same."""
    model, images, _, proba = ensemble
    np.testing.assert_allclose(model.predict(images).probabilities, proba, atol=1e-6)
    model.predictor.save(tmp_path / "several.icecore")
    manifest = json.loads((tmp_path / "several.icecore" / "manifest.json").read_text("utf-8"))
    assert [one["head"]["head"] for one in manifest["targets"][0]["head"]["members"]] == ["ridge", "svm-rbf"]
    loaded = artifact.load(tmp_path / "several.icecore", backbone=model.net.backbone)
    again = TransferModel(model.net, store=tmp_path / "store")
    again._predictor = loaded
    np.testing.assert_allclose(again.predict(images).probabilities, proba, atol=1e-6)


def test_an_ensemble_can_be_fine_tuned(ensemble, tmp_path):
    """The frozen side is the ensemble, refitted on the training rows; the tuned one begins with a logistic regression
    on `last`, and takes its place where it is adopted.
    """
    model, images, labels, _ = ensemble
    report = model.fine_tune(
        images, labels, unfreeze=1, epochs=1, folds=1, keep=True, progress=False, store=tmp_path / "store"
    )
    assert report.adopted
    assert report.frozen_metrics[0]["accuracy"] is not None
    assert model.manifest.targets[0].chosen["head"] == "logistic, fine-tuned"
    assert model.predict(images).probabilities.shape == (40, 2)


def test_head2toe_can_be_fine_tuned(tmp_path):
    """So does a head over many layers; restored from disk it can be refitted."""
    images, labels = orders(20)
    model = icecore.fit(images, labels, backbone=network(), head="head2toe", store=tmp_path / "store", **QUICK)
    report = model.fine_tune(images, labels, unfreeze=1, epochs=1, folds=1, progress=False, store=tmp_path / "store")
    assert report.frozen_metrics[0]["accuracy"] is not None
