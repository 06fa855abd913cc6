"""The tuned model takes the place of the frozen one where it is better beyond doubt, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest

import icecore
from icecore import TransferModel
from tests.small import write_colours
from tests.tuning import FAST, accuracy, fitted, write_orders

QUICK = ("--epochs", 8, "--learning-rate", 0.01, "--batch-size", 16, "--mixup", 0, "--folds", 1)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_frozen_features_cannot_tell_is_learned_and_adopted(model, new, pictures):
    """The order of two patches, of which the frozen network gives nothing, is right on new pictures after tuning."""
    before = model.evaluate(new, progress=False).metrics["label"]["accuracy"].value
    report = model.fine_tune(pictures, unfreeze=2, **FAST)
    tuned, frozen = accuracy(report)
    assert before < 0.7
    assert frozen < 0.7
    assert tuned > 0.9
    assert (report.adopted, report.kept) == (True, False)
    assert report.difference.low > 0
    assert report.difference.value == pytest.approx(tuned - frozen)
    assert report.unfrozen == ("blocks.1", "blocks.2")
    assert model.evaluate(new, progress=False).metrics["label"]["accuracy"].value > 0.9


def test_a_saved_model_is_replaced(saved, new, pictures):
    """`icecore.fine_tune` of a path saves the adopted model there, and it predicts new pictures rightly."""
    report = icecore.fine_tune(saved, pictures, unfreeze=1, **FAST)
    assert (report.adopted, report.model) == (True, saved)
    predicted = icecore.predict(saved, new)
    assert np.mean([p.label == p.input.split("/")[0] for p in predicted]) > 0.9


def test_another_folder_leaves_the_model_alone(saved, pictures, tmp_path):
    """With `out` the adopted model is written there, and the one that it came from stays byte for byte."""
    before = content(saved)
    report = icecore.fine_tune(saved, pictures, unfreeze=1, out=tmp_path / "tuned", **FAST)
    assert report.model == tmp_path / "tuned"
    assert content(saved) == before
    assert (tmp_path / "tuned" / "changes" / "000.safetensors").is_file()


def test_all_rows_are_compared_in_folds_and_then_trained_on(model, new, pictures):
    """By default every picture of a small data set is compared once, and the adopted model is trained on all."""
    report = model.fine_tune(pictures, unfreeze=1, **{**FAST, "folds": None})
    assert report.compared == "compared on 80 items that neither model has seen (5 folds)"
    assert report.adopted
    assert model.evaluate(new, progress=False).metrics["label"]["accuracy"].value > 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_random_labels_are_declined(shell, tmp_path, weights, seed):
    """Where there is nothing to learn, the model stays byte for byte, and the output says what was tried."""
    data = write_orders(tmp_path / "random", 25, seed=seed, random_labels=True)
    saved = fitted(data, store=tmp_path / "store", net=weights).save(tmp_path / "m")
    before = content(saved)
    done = shell("fine-tune", saved, data, "--unfreeze", 1, *QUICK, "--folds", 5)
    assert done.status == 0, done.err
    assert content(saved) == before
    assert "trained blocks.2 and what follows; " in done.out
    assert "accuracy, fine-tuned minus frozen: " in done.out
    assert "so the frozen model stays as it is (--keep overrides)." in done.out


def test_three_pictures_a_class_are_declined(tmp_path):
    """Too few to tell: nothing is adopted, however the few come out."""
    data = write_colours(tmp_path / "few", 3)
    model = fitted(data, store=tmp_path / "store", net="icecore:vision-s@random")
    before = model.manifest
    report = model.fine_tune(data, unfreeze=1, epochs=3, progress=False)
    assert report.compared.startswith("compared on 9 items")
    assert not report.adopted
    assert model.manifest is before


def test_keep_overrides_and_says_so(shell, tmp_path, weights):
    """`--keep` adopts what is no better; the manifest's figures are those of the comparison all the same."""
    data = write_orders(tmp_path / "random", 15, random_labels=True)
    saved = fitted(data, store=tmp_path / "store", net=weights).save(tmp_path / "m")
    done = shell("fine-tune", saved, data, "--unfreeze", 1, "--keep", *QUICK)
    assert done.status == 0, done.err
    assert f"The tuned network was adopted: as was asked for. Saved {saved}." in done.out
    manifest = TransferModel.load(saved).manifest
    (target,) = manifest.targets
    assert list(target.baselines) == ["frozen model"]
    assert target.metrics["accuracy"].value < 0.9
    assert target.evaluation == "compared on 7 items that neither model has seen (rows held out)"


@pytest.mark.slow  # a process of its own
def test_json_is_one_object_with_these_keys(shell, saved, pictures):
    """`--json` prints what other programs rely on, and nothing else on standard output."""
    done = shell.process("fine-tune", saved, pictures, "--unfreeze", 1, *QUICK, "--json")
    assert done.status == 0, done.err
    found = done.json
    assert set(found) == {
        "model", "adopted", "metrics", "frozen_metrics", "difference", "unfrozen", "epochs", "seconds"
    }  # fmt: skip
    assert set(found["difference"]) == {"value", "low", "high"}
    assert set(found["seconds"]) == {"prefix", "suffix", "evaluation"}
    assert (found["model"], found["adopted"], found["unfrozen"]) == (str(saved), True, ["blocks.2"])
    assert found["metrics"]["accuracy"]["value"] > found["frozen_metrics"]["accuracy"]["value"]
    assert 1 <= found["epochs"] <= 8


def test_json_of_a_declined_one_names_the_model_that_stays(shell, tmp_path, weights):
    """Declined with another `--out`: `model` is the one that was there, and nothing is written."""
    data = write_orders(tmp_path / "random", 15, random_labels=True)
    saved = fitted(data, store=tmp_path / "store", net=weights).save(tmp_path / "m")
    found = shell("fine-tune", saved, data, "--unfreeze", 1, *QUICK, "--out", tmp_path / "n", "--json").json
    assert (found["adopted"], found["model"]) == (False, str(saved))
    assert not (tmp_path / "n").exists()
