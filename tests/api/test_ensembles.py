"""`icecore.ensemble`: models on different networks as one, saved where that pays, and used as any model."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import icecore
from icecore import TransferModel
from icecore.errors import ArtifactError, UsageError
from tests.halves import fitted, halves, networks, write_halves


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """The ids of two networks that see one half each."""
    return networks(tmp_path_factory.mktemp("nets"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures of which each half tells a part."""
    return write_halves(tmp_path_factory.mktemp("halves") / "data")


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    """Others of them."""
    return write_halves(tmp_path_factory.mktemp("halves") / "new", 200, seed=1)


@pytest.fixture(scope="module")
def members(nets, data, store, tmp_path_factory):
    """A model on each network, saved."""
    folder = tmp_path_factory.mktemp("members")
    for name, network in nets.items():
        fitted(data, network, store, out=folder / f"{name}.icecore")
    return [folder / "top.icecore", folder / "bottom.icecore"]


@pytest.fixture(scope="module")
def report(members, tmp_path_factory):
    """What `ensemble` said, and saved."""
    return icecore.ensemble(members, out=tmp_path_factory.mktemp("ensemble") / "both.icecore")


@pytest.fixture
def both(report, store):
    """The ensemble, loaded."""
    return TransferModel.load(report.model, store=store)


def test_halves_are_better_together(report, members):
    """Shares of about a half each, a gain beyond its interval, and what each costs."""
    (target,) = report.targets
    assert report.adopted
    assert report.pays
    assert target.gain.low > 0
    assert (target.items, target.score, target.conflicts) == (300, "accuracy", 0)
    assert sum(target.shares) == pytest.approx(1)
    assert min(target.shares) > 0.3
    assert target.metrics["accuracy"].value == pytest.approx(
        target.single_metrics["accuracy"].value + target.gain.value
    )
    for member, path in zip(report.members, members, strict=True):
        assert (member.name, member.parameters) == (str(path), 16)
        assert member.milliseconds > 0
    assert json.loads(json.dumps(report.to_json()))["members"][0]["weight"] == pytest.approx(target.shares[0], abs=1e-3)


def test_it_predicts_the_weighted_mean(both, members, report, new, store):
    """Of the logs of what its members say; and is better than each on new pictures."""
    each = [TransferModel.load(path, store=store) for path in members]
    said = [model.predict(new).probabilities for model in each]
    mean = np.exp(sum(share * np.log(own) for share, own in zip(report.targets[0].shares, said, strict=True)))
    expected = mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(both.predict(new).probabilities, expected, atol=1e-6)
    accuracy = both.evaluate(new, progress=False).metrics["label"]["accuracy"].value
    assert accuracy > max(model.evaluate(new, progress=False).metrics["label"]["accuracy"].value for model in each)


def test_it_is_a_model_everywhere(both, report, data, new, tmp_path):
    """Sets at a coverage, familiarity, comparison, inspection, and a report with a map."""
    predictions = both.predict(new, coverage=0.9)
    truth = ["dark"] * 100 + ["light"] * 100
    assert np.mean([own in found for own, found in zip(truth, predictions.sets, strict=True)]) > 0.8
    assert predictions.familiarity.shape == (200,)
    black = both.predict([np.zeros((16, 16, 3), np.uint8)])
    assert black.familiarity[0] < np.median(predictions.familiarity)
    first = report.members[0].name
    assert icecore.compare(report.model, first).targets[0].better == 1
    assert "fitted on 300 of these items" in both.evaluate(data, progress=False).notes[-1]
    assert icecore.compare(first, both, new, progress=False).targets[0].difference.value < 0
    info = icecore.inspect(report.model)
    assert [network.id for network in info.manifest.networks] == [m.backbone for m in report.members]
    page = icecore.report(both, out=tmp_path / "report.html", progress=False)
    assert "nets.py:top" in (tmp_path / "report.html").read_text("utf-8")
    assert not page.missing


def test_saved_again_and_moved_it_is_the_same(both, report, new, store, tmp_path):
    """Members are whole in its folder: the first models are not needed any more."""
    both.save(tmp_path / "again.icecore")
    shutil.move(tmp_path / "again.icecore", tmp_path / "moved.icecore")
    moved = TransferModel.load(tmp_path / "moved.icecore", store=store)
    np.testing.assert_array_equal(moved.predict(new).probabilities, both.predict(new).probabilities)
    assert moved.evidence.rows == both.evidence.rows
    alone = TransferModel.load(tmp_path / "moved.icecore" / "members" / "0.icecore", store=store)
    assert alone.evaluate(new, progress=False).items == 200
    both.save(tmp_path / "bare.icecore", evidence=False)
    assert not list((tmp_path / "bare.icecore").rglob("evidence.arrow"))
    assert (report.model / "README.md").read_text("utf-8").count("nets.py:top") == 2


def test_what_takes_one_network_says_so(both, data, new):
    """Fine-tuning and explanations name the member that has them; another network cannot be named."""
    with pytest.raises(UsageError, match=r"ensemble of 2 models cannot be fine-tuned .*such as members/\d\.icecore"):
        both.fine_tune(data, progress=False)
    with pytest.raises(UsageError, match=r"cannot be explained as a whole.*members/\d\.icecore says most"):
        icecore.explain(both, new)


def test_a_changed_member_is_refused(report, tmp_path):
    """It would predict something else; so is one network in the place of several."""
    broken = shutil.copytree(report.model, tmp_path / "broken.icecore")
    file = broken / "members" / "1.icecore" / "manifest.json"
    file.write_text(file.read_text("utf-8").replace("2", "3", 1), "utf-8")
    with pytest.raises(ArtifactError, match=r"manifest\.json cannot be used: .*make the ensemble again"):
        TransferModel.load(broken)
    with pytest.raises(ArtifactError, match="an ensemble of models on several"):
        TransferModel.load(report.model, backbone="icecore:vision-s")


def test_an_item_that_one_network_cannot_take_is_set_aside(both, new, tmp_path):
    """Once, with its row; the others keep their places."""
    (tmp_path / "bad.png").write_bytes(b"no picture")
    paths = sorted(str(path) for path in new.rglob("*.png"))[:3]
    found = both.predict([paths[0], str(tmp_path / "bad.png"), *paths[1:]])
    assert (found.rows.tolist(), [item.row for item in found.bad]) == ([0, 2, 3], [1])


def test_what_does_not_pay_is_not_saved(members, nets, data, store, tmp_path):
    """Two models on one network say the same: `keep` saves them all the same where both have a share."""
    twin = fitted(data, nets["top"], store, head="logistic:C=0.01")
    found = icecore.ensemble([members[0], twin], out=tmp_path / "no.icecore")
    assert not found.adopted
    assert not (tmp_path / "no.icecore").exists()
    kept = icecore.ensemble([members[0], twin], out=tmp_path / "yes.icecore", keep=True)
    assert kept.adopted == (tmp_path / "yes.icecore").exists() == kept.targets[0].several
    assert not kept.pays


def test_models_in_memory_carry_their_networks(nets, data, new, store, tmp_path):
    """`include_backbone` makes the folder whole: it predicts where the weights have gone."""
    here = networks(tmp_path)
    models = [fitted(data, network, store) for network in here.values()]
    report = icecore.ensemble(models, out=tmp_path / "whole.icecore", include_backbone=True)
    assert [network.included for network in icecore.inspect(report.model).manifest.networks] == [True, True]
    assert report.members[0].name == "model 0"
    loaded = TransferModel.load(report.model, store=store)
    assert loaded.evaluate(new, progress=False).items == 200


def test_numbers_labels_and_several_targets(nets, store, tmp_path):
    """A target each: numbers with an interval, labels with thresholds; each its own shares."""
    rng = np.random.default_rng(3)
    level = rng.uniform(-2, 2, 240)
    pictures = list(halves(level, rng))
    tags = np.array(["high" if own > 0.5 else "low" if own < -0.5 else "high;low" for own in level], object)
    y = {"level": level, "tags": tags}
    task = {"level": "regression", "tags": "multilabel"}
    models = [fitted(pictures, network, store, y=y, task=task) for network in nets.values()]
    report = icecore.ensemble(models, out=tmp_path / "m.icecore")
    assert report.adopted
    assert [target.score for target in report.targets] == ["R2", "mean average precision"]
    loaded = TransferModel.load(tmp_path / "m.icecore", store=store)
    found = loaded.predict_targets(list(halves(np.array([-2.0, 2.0]), rng, signal=30.0)))
    low, high = found["level"]
    assert low.value < -0.5 < 0.5 < high.value
    assert low.low < low.value < low.high
    assert [own.labels for own in found["tags"]] == [("low",), ("high",)]
    level, tags = icecore.compare(loaded, models[0]).targets
    assert (level.better, level.measure, tags.measure) == (1, "mean absolute error", "share of labels right")
    assert loaded.manifest.schema_version == 4
    assert set(report.to_json()["gain"]) == {"level", "tags"}


def test_items_are_matched_by_content(nets, members, data, store):
    """In another order, with some missing and some labelled otherwise: those that agree are used, and it is said."""
    paths = sorted(data.rglob("*.png"))[::-1][:200]
    words = [path.parent.name for path in paths]
    words[:4] = [{"dark": "light", "light": "dark"}[word] for word in words[:4]]
    other = fitted(pd.DataFrame({"path": list(map(str, paths)), "label": words}), nets["bottom"], store)
    found = icecore.ensemble([members[0], other])
    assert (found.targets[0].items, found.targets[0].conflicts) == (196, 4)
    assert "4 items have another label in some of the models" in found.notes[0]


def test_fine_tuned_members_and_given_splits_take_part(nets, store, tmp_path):
    """By the rows that they were compared on, or scored on: those that all have unseen decide."""
    for split, seed, count in (("train", 0, 120), ("test", 1, 80)):
        write_halves(tmp_path / "data" / split, count, seed=seed)
    models = [fitted(tmp_path / "data", network, store) for network in nets.values()]
    models[1].fine_tune(tmp_path / "data", unfreeze="all", epochs=1, keep=True, progress=False)
    found = icecore.ensemble(models, out=tmp_path / "m.icecore", keep=True)
    assert found.targets[0].items == 80
    assert found.members[1].milliseconds > 0
    loaded = TransferModel.load(tmp_path / "m.icecore", store=store)
    assert len(loaded.manifest.members) == 2
    assert loaded.evaluate(tmp_path / "data", progress=False).metrics["label"]["accuracy"].value > 0.8


def test_what_a_fit_has_not_measured_is_timed(members, nets, data, store, tmp_path):
    """A fit on stored features knows no cost: a few items are timed, unless asked not to, or the network has gone."""
    again = fitted(data, nets["top"], store, out=tmp_path / "again.icecore")
    assert again.evidence.spent["computed"] == 0
    found = icecore.ensemble([tmp_path / "again.icecore", members[1]], progress=False)
    assert found.members[0].milliseconds > 0
    unasked = icecore.ensemble([tmp_path / "again.icecore", members[1]], measure=False)
    assert (unasked.members[0].milliseconds, unasked.members[0].parameters) == (None, 16)
    gone = networks(tmp_path)
    for name in ("first", "second"):
        fitted(data, gone["top"], tmp_path / "own", out=tmp_path / f"{name}.icecore")
    (tmp_path / "net.safetensors").unlink()
    there = icecore.ensemble([tmp_path / "second.icecore", members[1]], progress=False)
    assert there.members[0].milliseconds is None


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (["dark", "light", "grey"] * 4, "differ in classes"),
        ({"shade": ["dark", "light"] * 6}, "differ in targets: label and shade"),
        (["dark", "light"] * 6, "share no item of 'label' that all of them had predicted unseen"),
    ],
)
def test_models_of_other_things_are_told(members, nets, store, y, said):
    """Other classes, other targets, no items in common."""
    pictures = [np.full((8, 8, 3), i, np.uint8) for i in range(12)]
    with pytest.raises(UsageError, match=said):
        icecore.ensemble([members[0], fitted(pictures, nets["top"], store, y=y)])


def test_what_else_cannot_take_part_is_told(members, report, store, tmp_path):
    """One model, an ensemble, a model of texts, one without evidence."""
    with pytest.raises(UsageError, match=r"Got 1 model\. .*Two or more"):
        icecore.ensemble(members[:1])
    with pytest.raises(UsageError, match=r"is an ensemble itself.*members/0\.icecore"):
        icecore.ensemble([report.model, members[0]])
    words = [f"{word} {i}" for i in range(6) for word in ("bad", "good")]
    texts = fitted(words, "icecore:text-s", store, y=["dark", "light"] * 6)
    with pytest.raises(UsageError, match="differ in what goes in: image and text"):
        icecore.ensemble([members[0], texts])
    TransferModel.load(members[1]).save(tmp_path / "bare.icecore", evidence=False)
    with pytest.raises(UsageError, match="was saved without what its fit said"):
        icecore.ensemble([members[0], tmp_path / "bare.icecore"])
