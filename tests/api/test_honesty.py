"""`fit` and `predict` against planted faults: near-duplicates, leaks, wrong labels, inputs unlike the training data."""

import shutil

import numpy as np
import pandas as pd
import pytest

import icecore
from icecore import TransferModel
from icecore.errors import UsageError
from tests.api.pictures import BUNDLED, nearly, noise, write_some

QUICK = {"progress": False, "repeats": 1}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Three classes of thirty."""
    return write_some(tmp_path_factory.mktemp("digits") / "digits", 30)


@pytest.fixture(scope="module")
def fitted(digits, store):
    return icecore.fit(digits, backbone=BUNDLED, head="logistic", layers="all", store=store, **QUICK)


def test_planted_copies_stay_on_one_side(digits, store, tmp_path):
    """Of 24 copies that are not quite the same nearly all are found; with its original each is one item."""
    data = shutil.copytree(digits, tmp_path / "data")
    files = sorted(data.glob("*/0[0-7]?.png"))[::4][:24]
    for number, file in enumerate(files):
        nearly(file, file.with_name(f"copy-{file.name}"), number)
    model = icecore.fit(data, backbone=BUNDLED, head="ridge", store=store, **QUICK)
    evidence = model.evidence
    group = dict(zip(evidence.inputs, evidence.groups.tolist(), strict=True))
    found = sum(group[f"{f.parent.name}/copy-{f.name}"] == group[f"{f.parent.name}/{f.name}"] for f in files)
    assert found >= 0.85 * len(files)
    assert model.report.near_duplicates == pytest.approx(2 * found, abs=4)
    assert model.report.to_json()["near_duplicates"] == model.report.near_duplicates
    assert any("are nearly the same as others" in note and "copy-" in note for note in model.report.notes)
    assert len(np.unique(evidence.groups)) >= 90 - 3


def test_a_leak_that_lifts_the_accuracy_is_removed(digits, store, tmp_path):
    """With labels drawn by lot nothing can be learned but copies: they are found, named, and left out of the score."""
    rng = np.random.default_rng(0)
    files = sorted(digits.glob("*/*.png"))
    rng.shuffle(files)
    label = dict(zip(files, rng.choice(["yes", "no"], len(files)), strict=True))
    lines = [(file, label[file], "train") for file in files[:60]] + [(file, label[file], "test") for file in files[60:]]
    for number, file in enumerate(files[:24]):
        lines.append((nearly(file, tmp_path / f"{number}.png", number), label[file], "test"))
    frame = pd.DataFrame(lines, columns=["path", "label", "split"])
    frame.path = frame.path.astype(str)
    model = icecore.fit(frame, backbone=BUNDLED, head="knn:k=1", store=store, **QUICK)
    (leak,) = model.report.leaks
    assert (leak["split"], leak["of"]) == ("test", 54)
    assert leak["items"] >= 20
    assert len(leak["examples"][0]) == 2
    assert any("they are left out of the score" in note for note in model.report.notes)
    scored = model.evidence.targets["label"].scored
    assert scored.sum() == 54 - leak["items"]
    honest = model.report.targets[0].metrics["accuracy"]
    naive = (model.predict(frame.path[60:].tolist()).labels == frame.label[60:].to_numpy()).mean()
    assert honest.low <= 0.5 <= honest.high
    assert naive > honest.value + 0.1


def test_where_most_leaks_the_copies_are_not_trained_on(digits, store, tmp_path):
    """A test split that is nearly all copies is scored by a model that did not see their like, and that is said."""
    files = sorted(digits.glob("*/*.png"))[::3]
    lines = [(str(file), file.parent.name, "train") for file in files]
    lines += [(str(nearly(f, tmp_path / f"{n}.png", n)), f.parent.name, "test") for n, f in enumerate(files[:15])]
    model = icecore.fit(
        pd.DataFrame(lines, columns=["path", "label", "split"]), backbone=BUNDLED, head="ridge", store=store, **QUICK
    )
    assert model.evidence.targets["label"].scored.sum() == 15
    assert any("their like is not trained on" in note for note in model.report.notes)


def test_groups_never_straddle(digits, store):
    """With a column of writers no writer is on both sides, and the interval counts writers."""
    files = sorted(digits.glob("*/*.png"))
    frame = pd.DataFrame({"path": list(map(str, files)), "label": [f.parent.name for f in files]})
    frame["writer"] = [f"w{number // 6}" for number in range(len(files))]
    model = icecore.fit(frame, backbone=BUNDLED, head="ridge", group="writer", store=store, **QUICK)
    groups = model.evidence.groups
    for _, rows in frame.groupby("writer"):
        assert len(set(groups[rows.index])) == 1
    alone = icecore.fit(frame[["path", "label"]], backbone=BUNDLED, head="ridge", store=store, **QUICK)
    assert len(set(groups.tolist())) < len(set(alone.evidence.groups.tolist()))
    wide, narrow = (one.report.targets[0].metrics["accuracy"] for one in (model, alone))
    assert wide.high - wide.low > narrow.high - narrow.low
    beside = icecore.fit(
        list(map(str, files)), [f.parent.name for f in files], backbone=BUNDLED, head="ridge", store=store,
        groups=frame.writer, **QUICK,
    )  # fmt: skip
    assert beside.evidence.groups.tolist() == groups.tolist()


def test_prediction_sets_and_familiarity(fitted, digits, tmp_path):
    """At a coverage the set holds the truth about so often; noise is unlike the training data, a new digit seldom."""
    new = write_some(tmp_path / "new", 30, seed=1)
    truth = [file.parent.name for file in sorted(new.glob("*/*.png"))]
    predictions = fitted.predict(new, coverage=0.9)
    assert np.mean([own in found for own, found in zip(truth, predictions.sets, strict=True)]) >= 0.8
    assert any(len(found) != 1 for found in predictions.sets)
    assert (predictions.familiarity > 0.02).mean() > 0.85
    strange = fitted.predict([noise(seed) for seed in range(5)])
    assert strange.sets is None
    assert strange.beside.unlike.all()
    assert "5 of 5 inputs are unlike the training data" in strange.notes[-1]
    assert not [note for note in fitted.predict(sorted(new.glob("*/*.png"))[:1]).notes if "unlike" in note]


def test_they_come_back_after_saving(fitted, digits, store, tmp_path):
    """Sets and familiarity of a loaded model are the same; without evidence there are no sets, and that is told."""
    fitted.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", store=store)
    ours, theirs = (one.predict(digits / "1", coverage=0.8) for one in (fitted, loaded))
    assert ours.sets == theirs.sets
    np.testing.assert_allclose(ours.familiarity, theirs.familiarity, atol=0.02)
    fitted.save(tmp_path / "bare", evidence=False)
    bare = TransferModel.load(tmp_path / "bare", store=store)
    assert bare.predict(digits / "1").familiarity is not None
    with pytest.raises(UsageError, match=r"saved without it\. Fit it again, without --no-evidence"):
        bare.predict(digits / "1", coverage=0.8)


def test_wrong_labels_are_named(digits, store, tmp_path):
    """Of labels that were changed the surest are listed with the label that was right; JSON has them all."""
    files = sorted(digits.glob("*/*.png"))
    labels = [file.parent.name for file in files]
    changed = {3: "1", 40: "2", 70: "0"}
    y = [changed.get(row, label) for row, label in enumerate(labels)]
    model = icecore.fit(list(map(str, files)), y, backbone=BUNDLED, head="lda", layers="all", store=store, **QUICK)
    found = model.report.suspects["label"]
    assert {one.row for one in found} & set(changed)
    assert all(one.likely == labels[one.row] for one in found if one.row in changed)
    assert model.report.to_json()["suspects"][0]["input"].endswith(".png")


def test_calibration_is_chosen_or_taken_as_said(digits, store):
    """An overconfident head of one's own is calibrated; `none` leaves it; a name that there is not is told early."""
    from sklearn.naive_bayes import GaussianNB

    own = {"backbone": BUNDLED, "store": store, **QUICK}
    left = icecore.fit(digits, head=GaussianNB(), calibrate="none", **own)
    calibrated = icecore.fit(digits, head=GaussianNB(), **own)
    assert left.report.targets[0].calibration == "none"
    assert calibrated.report.targets[0].calibration in {"temperature", "isotonic"}
    losses = [one.report.targets[0].metrics["log_loss"].value for one in (left, calibrated)]
    assert losses[1] < losses[0]
    assert icecore.fit(digits, head="ridge", calibrate="isotonic", **own).report.targets[0].calibration == "isotonic"
    with pytest.raises(UsageError, match=r"There is no calibration 'isotonical'\. .* Did you mean isotonic"):
        icecore.fit(digits, head="ridge", calibrate="isotonical", **own)


def test_with_given_splits_the_calibration_never_sees_the_test(digits, store):
    """It is learned on the rows of `val`; the figures are those of the test rows under the saved head."""
    files = sorted(digits.glob("*/*.png"))
    frame = pd.DataFrame({"path": list(map(str, files)), "label": [file.parent.name for file in files]})
    frame["split"] = [("train", "val", "val", "test")[row % 4] if row % 8 < 4 else "train" for row in range(len(files))]
    frame.loc[frame.index % 8 >= 6, "split"] = "val"
    model = icecore.fit(frame, backbone=BUNDLED, head="logistic:C=100", calibrate="temperature", store=store, **QUICK)
    scored = model.evidence.targets["label"].scored
    said = model.predict(frame.path[scored].tolist()).probabilities
    np.testing.assert_allclose(said, model.evidence.targets["label"].proba[scored], atol=1e-5)


def test_a_learning_curve_on_demand(digits, store):
    """Accuracy with parts of the rows, and what twice the labels would bring."""
    model = icecore.fit(digits, backbone=BUNDLED, head="ridge", learning_curve=True, store=store, **QUICK)
    curve = model.report.targets[0].learning_curve
    assert curve.rows == 90
    assert [point.rows for point in curve.points] == sorted(point.rows for point in curve.points)
    assert curve.twice.low <= curve.twice.value <= curve.twice.high
    assert set(model.report.to_json()["learning_curve"]) == {"points", "rows", "now", "twice"}
    few = sorted(digits.glob("*/00[0-2].png"))
    names = [file.parent.name for file in few]
    short = icecore.fit(
        list(map(str, few)), names, backbone=BUNDLED, head="ridge", learning_curve=True, store=store, **QUICK
    )
    assert any("There is no learning curve of 'label'" in note for note in short.report.notes)


def test_doubts_are_said_with_their_figures(store):
    """Pictures of nothing with labels by lot: the score on its own rows is far above, and no better than chance."""
    images = [noise(seed, 32) for seed in range(60)]
    y = np.random.default_rng(0).choice(["a", "b"], 60).tolist()
    model = icecore.fit(images, y, backbone=BUNDLED, head="knn:k=1", store=store, **QUICK)
    own = " ".join(model.report.notes)
    assert "Of the items that it was trained on it gets 1.000 right, of unseen ones" in own
    assert "is not beyond that of the most frequent class alone" in own


def test_scoring_on_training_items_is_said(fitted, digits):
    """`evaluate` on what the model was fitted on flatters it."""
    notes = fitted.evaluate(digits, progress=False).notes
    assert any("was fitted on 90 of these items" in note for note in notes)
