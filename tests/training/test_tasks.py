"""Fine-tuning for numbers, several labels and classes in an order, and for several targets jointly."""

import csv

import numpy as np
import pytest

import icecore
from icecore import TransferModel, TransferRegressor
from icecore.errors import DataError, UsageError
from tests.tuning import FAST, orders

MORE = {**FAST, "epochs": 12, "patience": 0, "unfreeze": 3}


@pytest.fixture(scope="module")
def pictures():
    """Pictures whose class is the order of two patches, which the frozen network does not see."""
    found, labels = orders(60)
    return found, np.array([label == "red first" for label in labels])


def fitted(net, pictures, y, store, **options):
    """A quick frozen model."""
    options = {"head": "ridge", "folds": 2, "repeats": 1} | options
    return icecore.fit(pictures, y, backbone=net, store=store, progress=False, **options)


def numbers(red):
    return np.where(red, 250.5, 100.25) + np.random.default_rng(0).normal(0, 5, len(red))


def test_a_number_is_tuned(weights, pictures, tmp_path):
    """What the frozen network cannot see is learnt, in the unit of the numbers; the interval around them narrows; saved
    and loaded the model predicts the same.
    """
    found, red = pictures
    y = numbers(red)
    model = fitted(weights, found, y, tmp_path / "store")
    before = model.predict(found).half_width
    report = model.fine_tune(found, y, **MORE)
    assert report.adopted
    assert report.score == "R2"
    assert report.frozen_metrics[0]["r2"].value < 0.3
    assert report.metrics[0]["r2"].value > 0.7
    after = model.predict(found)
    assert after.half_width < before
    assert np.corrcoef(after.values, y)[0, 1] > 0.8
    model.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", store=tmp_path / "store")
    np.testing.assert_allclose(loaded.predict(found).values, after.values, atol=1e-3)


@pytest.mark.parametrize("task", ["multilabel", "ordinal"])
def test_labels_and_orders_are_tuned(weights, pictures, tmp_path, task):
    """Each question has its loss; thresholds are tuned on the rows that stop the training; saved and loaded."""
    found, red = pictures
    y = [["red"] * bool(own) + ["any"] for own in red] if task == "multilabel" else np.where(red, 2, 1)
    model = fitted(weights, found, y, tmp_path / "store", task=task)
    report = model.fine_tune(found, y, **{**MORE, "patience": 20})
    assert report.adopted
    name = "micro_f1" if task == "multilabel" else "accuracy"
    assert report.metrics[0][name].value > report.frozen_metrics[0][name].value
    expected = model.predict(found)
    model.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", store=tmp_path / "store").predict(found)
    np.testing.assert_allclose(loaded.probabilities, expected.probabilities, atol=1e-5)
    assert loaded.labels.tolist() == expected.labels.tolist()


def test_targets_of_different_tasks_train_together(weights, pictures, tmp_path):
    """One network for a class, a number and labels; the loss of each has its weight."""
    found, red = pictures
    y = {"kind": np.where(red, "red", "blue"), "size": numbers(red), "tags": [["red"] * bool(own) for own in red]}
    model = fitted(weights, found, y, tmp_path / "store")
    report = model.fine_tune(found, y, target_weight={"size": 2.0}, **MORE)
    assert report.targets == ("kind", "size", "tags")
    assert report.score == "mean score"
    assert report.adopted
    assert report.metrics[0]["accuracy"].value > 0.8
    assert report.metrics[1]["r2"].value > 0.5
    assert report.metrics[2]["mean_average_precision"].value > 0.8


def test_weights_say_what_is_learnt(weights, pictures, tmp_path):
    """Of two targets the one whose loss hardly counts is hardly learnt."""
    found, red = pictures
    noise = np.random.default_rng(1).normal(size=len(red))
    y = {"size": numbers(red), "noise": noise}
    model = fitted(weights, found, y, tmp_path / "store")
    options = {**MORE, "keep": True}
    learnt = []
    for shares in ({"size": 1e-6}, ["size=1", "noise=1e-6"]):
        own = fitted(weights, found, y, tmp_path / "store")
        learnt.append(own.fine_tune(found, y, target_weight=shares, **options).metrics[0]["r2"].value)
    assert learnt[1] > learnt[0] + 0.2
    with pytest.raises(UsageError, match=r"weight is given for the target 'sice'\. The targets are size, noise"):
        model.fine_tune(found, y, target_weight={"sice": 1.0})
    with pytest.raises(UsageError, match="Got the target weight 'size'"):
        model.fine_tune(found, y, target_weight="size")
    with pytest.raises(UsageError, match=r"is 0\.0\. A number above 0"):
        model.fine_tune(found, y, target_weight={"size": 0})


def test_what_makes_no_sense_is_told(weights, pictures, tmp_path):
    """Pairs of one class where there are no classes; labels that are no numbers."""
    found, red = pictures
    y = numbers(red)
    model = fitted(weights, found, y, tmp_path / "store")
    with pytest.raises(UsageError, match="no target here has one class a row"):
        model.fine_tune(found, y, contrastive=2, unfreeze=1)
    with pytest.raises(DataError, match="is to be predicted as a number, and holds 'tall'"):
        model.fine_tune(found, ["tall"] * len(red), unfreeze=1)


def test_a_regressor_is_tuned_in_scikit_learn(weights, pictures, tmp_path):
    """`TransferRegressor.fine_tune`, after `fit`."""
    found, red = pictures
    y = numbers(red)
    model = TransferRegressor(weights, store=tmp_path / "store").fit(found, y)
    options = {name: value for name, value in MORE.items() if name != "progress"}
    assert model.fine_tune(found, y, **options).tuning_.adopted
    assert model.score(found, y) > 0.7


def test_columns_of_a_table_are_found_again(weights, pictures, tmp_path):
    """A model of several columns of 0 and 1 finds them in the table by their names."""
    found, red = pictures
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "first", "any"])
        for i, (picture, own) in enumerate(zip(found[:40], red, strict=False)):
            picture.save(tmp_path / f"{i}.png")
            writer.writerow([f"{i}.png", int(own), 1 - i % 2])
    options = {"target": ["first", "any"], "input_col": "path", "task": "multilabel"}
    model = fitted(weights, tmp_path / "t.csv", None, tmp_path / "store", **options)
    report = model.fine_tune(tmp_path / "t.csv", input_col="path", **{**FAST, "epochs": 1, "unfreeze": 1})
    assert report.targets == ("labels",)
    assert report.items == 40
