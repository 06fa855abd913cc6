"""What a fit saw is kept beside the model, item by item, and comes back the same."""

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import icecore
from icecore import TransferModel
from icecore.artifact.evidence import Evidence, TargetEvidence, read_evidence, write_evidence
from icecore.errors import ArtifactError
from tests.artifact.models import fit
from tests.small import BACKBONE, labelled, write_colours


def same(one: Evidence, other: Evidence) -> bool:
    assert (list(one.rows), one.inputs, one.paths) == (list(other.rows), other.inputs, other.paths)
    np.testing.assert_array_equal(one.groups, other.groups)
    assert (one.splits is None) == (other.splits is None)
    assert list(one.targets) == list(other.targets)
    for ours, theirs in zip(one.targets.values(), other.targets.values(), strict=True):
        assert (ours.name, ours.task, ours.classes) == (theirs.name, theirs.task, theirs.classes)
        np.testing.assert_array_equal(ours.y, theirs.y)
        np.testing.assert_array_equal(ours.scored, theirs.scored)
        np.testing.assert_allclose(ours.proba, theirs.proba, rtol=1e-6)
    return True


def test_evidence_of_a_fit_comes_back(saved, fitted, colours):
    """Keys, names, absolute paths, labels and unseen probabilities of every item; Polars and pandas read the file."""
    evidence = fitted.evidence
    target = evidence.targets["label"]
    assert (len(evidence), target.task, target.classes) == (18, "classification", ("blue", "green", "red"))
    assert evidence.inputs[0] == "blue/000.png"
    assert evidence.paths[0] == str((colours / "blue" / "000.png").absolute())
    assert target.y.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert target.scored.all()
    np.testing.assert_allclose(target.proba.sum(axis=1), 1, atol=1e-6)
    assert same(TransferModel.load(saved).evidence, evidence)
    with pa.OSFile(str(saved / "evidence.arrow")) as file:
        assert pa.ipc.open_file(file).read_all()["input"].to_pylist() == evidence.inputs


def test_it_survives_a_second_save_and_is_left_out_when_asked(saved, colours, store, tmp_path):
    """A loaded model saved again has it, over itself too; `evidence=False` leaves it out, and the model predicts."""
    loaded = TransferModel.load(saved, store=store)
    loaded.save(saved)
    assert same(TransferModel.load(saved).evidence, loaded.evidence)
    loaded.save(tmp_path / "bare", evidence=False)
    assert not (tmp_path / "bare" / "evidence.arrow").exists()
    bare = TransferModel.load(tmp_path / "bare", store=store)
    assert bare.evidence is None
    assert bare.predict(colours / "red").labels.tolist() == ["red"] * 6
    fit(colours, BACKBONE, store, out=tmp_path / "also", evidence=False)
    assert not (tmp_path / "also" / "evidence.arrow").exists()
    assert "evidence.arrow" in (saved / "README.md").read_text("utf-8")
    assert "evidence.arrow" not in (tmp_path / "also" / "README.md").read_text("utf-8")


def test_with_given_splits_the_scored_rows_are_those_of_the_test(store, tmp_path):
    """Rows that were trained or chosen on have no probabilities."""
    for split, seed, count in (("train", 0, 6), ("val", 1, 3), ("test", 2, 4)):
        write_colours(tmp_path / "data" / split, count, seed=seed)
    model = fit(tmp_path / "data", BACKBONE, store, out=tmp_path / "m")
    evidence = TransferModel.load(tmp_path / "m").evidence
    target = evidence.targets["label"]
    np.testing.assert_array_equal(target.scored, evidence.splits == "test")
    assert np.isnan(target.proba[~target.scored]).all()
    assert np.isfinite(target.proba[target.scored]).all()
    accuracy = (target.proba[target.scored].argmax(1) == target.y[target.scored]).mean()
    assert accuracy == pytest.approx(model.report.targets[0].metrics["accuracy"].value)


def test_texts_are_cut_and_several_targets_are_kept(store, tmp_path):
    """Of a long text the first 500 signs; no path; one entry a target, under its name."""
    texts = [f"{word} {i} " + "and so on " * 100 for i in range(8) for word in ("good", "bad")]
    frame = pd.DataFrame({"text": texts, "mood": ["up", "down"] * 8, "loud": ["yes", "no"] * 8})
    model = icecore.fit(
        frame,
        target=["mood", "loud"],
        head="ridge",
        folds=2,
        repeats=1,
        store=store,
        out=tmp_path / "m",
        progress=False,
    )
    evidence = TransferModel.load(tmp_path / "m").evidence
    assert {len(name) for name in evidence.inputs} == {500}
    assert set(evidence.paths) == {""}
    assert list(evidence.targets) == ["mood", "loud"]
    assert same(evidence, model.evidence)


def test_numbers_and_several_labels_have_their_shapes(tmp_path):
    """Values of a regression are (n,) and (n, 1); several labels a row (n, k) both."""
    several = TargetEvidence(
        "tags", "multilabel", ("a", "b"), np.eye(2, dtype=np.int8), np.eye(2) / 2, np.ones(2, bool)
    )
    number = TargetEvidence("size", "regression", (), np.array([0.5, 2.5]), np.ones((2, 1)), np.array([True, False]))
    targets = {"tags": several, "size": number}
    evidence = Evidence([b"a" * 32, b"b" * 32], ["x", "y"], ["", "/z"], np.array([0, 1]), None, targets)
    write_evidence(evidence, tmp_path, "f")
    assert same(read_evidence(tmp_path / "evidence.arrow", "f"), evidence)


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"\0" * len(raw)])
def test_damage_is_told_when_it_is_asked_for(saved, colours, store, damage):
    """The model loads and predicts; who asks for the evidence is told."""
    file = saved / "evidence.arrow"
    file.write_bytes(damage(file.read_bytes()))
    model = TransferModel.load(saved, store=store)
    assert model.predict(colours / "red").labels[0] == "red"
    with pytest.raises(
        ArtifactError, match=r"evidence\.arrow cannot be used: it is damaged .* the model still predicts"
    ):
        _ = model.evidence


def test_evidence_of_another_model_is_refused(saved, colours, store, tmp_path):
    """A file that belongs to other data says nothing of this model."""
    paths, words = labelled(colours)
    other = fit(paths[3:], BACKBONE, store, y=words[3:])
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "evidence.arrow", saved)
    with pytest.raises(ArtifactError, match="it was saved with another model"):
        _ = TransferModel.load(saved).evidence
