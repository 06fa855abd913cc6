"""`compare`: two models on the same items."""

import numpy as np
import pandas as pd
import pytest

import icecore
from icecore.errors import UsageError
from tests.small import BACKBONE, labelled, write_colours

QUICK = {"progress": False, "repeats": 1, "folds": 3, "store": None}


@pytest.fixture(scope="module")
def models(colours, store, tmp_path_factory):
    """One that is right, one that learned a third of the labels by lot; saved."""
    folder = tmp_path_factory.mktemp("models")
    own = {**QUICK, "store": store, "backbone": BACKBONE}
    good = icecore.fit(colours, head="ridge", out=folder / "good", **own)
    paths, words = labelled(colours)
    rng = np.random.default_rng(0)
    mixed = [str(rng.choice(["blue", "green", "red"])) if rng.random() < 0.6 else word for word in words]
    bad = icecore.fit(paths, mixed, head="knn:k=1", out=folder / "bad", **own)
    return good, bad, folder


def test_on_new_data_the_better_one_is_named(models, tmp_path):
    """Paired, with an interval that leaves zero out and a sentence; which is first decides the sign."""
    good, bad, folder = models
    new = write_colours(tmp_path / "new", 20, seed=5)
    found = icecore.compare(folder / "good", folder / "bad", new, progress=False)
    (target,) = found.targets
    assert (target.better, target.measure, target.items) == (1, "accuracy", 60)
    assert target.difference.low > 0
    assert f"{folder / 'good'} is better" in target.said
    back = icecore.compare(bad, good, new, progress=False).targets[0]
    assert (back.better, back.difference.value) == (2, -target.difference.value)
    assert "the second model is better" in back.said
    json = found.to_json()
    assert json["metrics"][0]["accuracy"]["value"] == 1.0
    assert json["difference"]["value"] == target.difference.value


def test_without_data_the_unseen_predictions_of_both_fits_serve(colours, store, models):
    """The same items, found by their content in whatever order; equal models cannot be told apart."""
    good, _, _ = models
    paths, words = labelled(colours)
    other = icecore.fit(paths[::-1], words[::-1], head="logistic:C=1", backbone=BACKBONE, **{**QUICK, "store": store})
    (target,) = icecore.compare(good, other).targets
    assert target.items == 24
    assert target.better is None
    assert "they cannot be told apart" in target.said
    half = icecore.fit(paths[::2], words[::2], head="ridge", backbone=BACKBONE, **{**QUICK, "store": store})
    assert icecore.compare(good, half).targets[0].items == 12


def test_what_was_trained_on_is_said(colours, models):
    """Data that a model was fitted on flatter it."""
    good, bad, _ = models
    notes = icecore.compare(good, bad, colours, progress=False).notes
    assert [note for note in notes if "the first model was fitted on 24 of these items" in note]


def test_numbers_are_compared_by_how_far_off(colours, store):
    """Of two models of a number the one with the smaller error is the better."""
    paths, words = labelled(colours)
    size = np.array([["blue", "green", "red"].index(word) for word in words]) + np.random.default_rng(0).random(24)
    frame = pd.DataFrame({"path": paths, "size": size})
    own = {**QUICK, "store": store, "backbone": BACKBONE, "target": "size"}
    near = icecore.fit(frame, head="ridge", **own)
    frame["size"] = size[np.random.default_rng(1).permutation(24)]
    far = icecore.fit(frame, head="ridge", **own)
    frame["size"] = size
    (target,) = icecore.compare(near, far, frame, progress=False).targets
    assert (target.measure, target.better) == ("mean absolute error", 1)
    assert target.difference.high < 0


def test_what_cannot_be_compared_is_told(colours, store, models, tmp_path):
    """No shared items, no evidence, no target in common."""
    good, _, _ = models
    own = {**QUICK, "store": store, "backbone": BACKBONE, "head": "ridge"}
    other = icecore.fit(write_colours(tmp_path / "other", 6, seed=9), **own)
    with pytest.raises(UsageError, match=r"share no item of 'label'.*Name labelled data"):
        icecore.compare(good, other)
    good.save(tmp_path / "bare", evidence=False)
    with pytest.raises(UsageError, match=r"nothing to compare on: .*bare was saved without"):
        icecore.compare(tmp_path / "bare", good)
    paths, _ = labelled(colours)
    number = icecore.fit(
        pd.DataFrame({"path": paths, "size": np.random.default_rng(0).random(24)}), target="size", **own
    )
    with pytest.raises(UsageError, match=r"no target in common: label \(classification\) and size \(regression\)"):
        icecore.compare(good, number)
