"""What fine-tuning makes of data: given splits, duplicates, several targets, texts, sounds, bad items."""

import numpy as np
import pandas as pd
import pytest

import icecore
from icecore import TransferModel
from icecore.errors import BadItemsError, DataError
from tests.small import BACKBONE
from tests.sounds import write_tones
from tests.texts import write_network
from tests.tuning import FAST, fitted, network, orders, write_orders

QUICK = {**FAST, "unfreeze": 1, "epochs": 2, "keep": True}
ENDS = ("please", "today", "i will", "help", "one two", "it is late", "when", "again", "three", "ten nine")
TEXTS = [f"{start} {end}" for start in ("my card is lost", "where is my refund") for end in ENDS]


@pytest.fixture
def table(tmp_path):
    """A table of 30 pictures with a split: every third is for tests, and the labels of these are wrong."""
    write_orders(tmp_path / "pictures", 15)
    paths = sorted((tmp_path / "pictures").rglob("*.png"), key=lambda path: path.name)
    rows = [(str(path), path.parent.name, "test" if i % 3 == 0 else "train") for i, path in enumerate(paths)]
    frame = pd.DataFrame(rows, columns=["image", "label", "split"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("names", "compared"),
    [
        ({}, "10 items that neither model has seen (rows held out)"),
        ({"test": "val"}, "10 items that neither model has seen (rows held out)"),
        ({"test": "train"}, "30 items that neither model has seen (2 folds)"),
    ],
)
def test_given_splits_are_kept_to(table, tmp_path, names, compared):
    """`test` compares, or `val` where there is no `test`; where all is `train`, folds do."""
    frame = pd.read_csv(table).replace({"split": names})
    frame.to_csv(table, index=False)
    model = fitted(frame.image.tolist(), frame.label.tolist(), store=tmp_path / "store")
    report = model.fine_tune(table, **{**QUICK, "folds": 2})
    assert report.compared == f"compared on {compared}"


def test_a_split_without_training_rows_is_told(table, tmp_path):
    """Rows of `val` and `test` alone leave nothing to train on."""
    frame = pd.read_csv(table).replace({"split": {"train": "val"}})
    frame.to_csv(table, index=False)
    model = fitted(frame.image.tolist(), frame.label.tolist(), store=tmp_path / "store")
    with pytest.raises(DataError, match="The given split leaves no rows to train on and 10 to compare"):
        model.fine_tune(table, **QUICK)


def test_items_of_the_test_split_are_not_trained_on_as_copies(table, tmp_path):
    """A picture of `test` that is in `train` too, with another label there: it is left out of the training."""
    frame = pd.read_csv(table)
    model = fitted(frame.image.tolist(), frame.label.tolist(), store=tmp_path / "store")
    alone = model.fine_tune(table, **{**QUICK, "keep": False, "epochs": 1})
    copies = frame[frame.split == "test"].assign(split="train")
    pd.concat([frame, copies]).to_csv(table, index=False)
    with_copies = model.fine_tune(table, **{**QUICK, "keep": False, "epochs": 1})
    assert with_copies.items == 40
    assert with_copies.log[0].loss == pytest.approx(alone.log[0].loss, abs=1e-5)


def test_val_stops_and_test_compares(table, tmp_path):
    """With three splits: the held-out accuracy of the log is that of `val`, the metrics are those of `test`."""
    frame = pd.read_csv(table)
    frame.loc[frame.index % 3 == 1, "split"] = "val"
    frame.to_csv(table, index=False)
    model = fitted(frame.image.tolist(), frame.label.tolist(), store=tmp_path / "store")
    report = model.fine_tune(table, **{**QUICK, "epochs": 6})
    wrong = model.fine_tune(table, **{**QUICK, "epochs": 1})
    assert report.compared.startswith("compared on 10 items")
    assert {round(epoch.held_out_accuracy * 10, 6) % 1 for epoch in (*report.log, *wrong.log)} == {0.0}


def test_rows_of_the_test_split_are_not_trained_on(table, tmp_path):
    """Labels turned round there: the tuned model learns those of `train`, and so is wrong on all of them."""
    frame = pd.read_csv(table)
    other = {"red first": "blue first", "blue first": "red first"}
    frame.loc[frame.split == "test", "label"] = frame.label[frame.split == "test"].map(other)
    frame.to_csv(table, index=False)
    model = fitted(frame.image.tolist(), frame.label.tolist(), store=tmp_path / "store")
    report = model.fine_tune(table, **{**QUICK, "epochs": 30})
    assert report.metrics[0]["accuracy"].value < 0.3
    assert not report.difference.low > 0


def test_equal_items_do_not_straddle(tmp_path):
    """Random labels, every picture four times: were copies on both sides, tuned and frozen would be right on them."""
    X, y = orders(10)
    y = list(np.random.default_rng(0).permutation(y))
    model = fitted(X * 4, y * 4, store=tmp_path)
    report = model.fine_tune(X * 4, y * 4, **{**QUICK, "epochs": 25, "folds": 4, "keep": False})
    assert report.items == 80
    assert report.metrics[0]["accuracy"].value < 0.8
    assert report.metrics[0]["accuracy"].high - report.metrics[0]["accuracy"].low > 0.3  # of 20 items, not of 80


def test_several_targets_are_tuned_together(tmp_path, shell, weights):
    """A table with two targets: one network, a head for each, the figures nested by name."""
    write_orders(tmp_path / "pictures", 40)
    paths = sorted((tmp_path / "pictures").rglob("*.png"), key=lambda path: path.name)
    rows = [(str(path), path.parent.name, path.parent.name == "red first") for path in paths]
    pd.DataFrame(rows, columns=["image", "order", "is_red"]).to_csv(tmp_path / "both.csv", index=False)
    saved = fitted(
        tmp_path / "both.csv", store=tmp_path / "store", net=weights, target=["order", "is_red"], out=tmp_path / "m"
    )
    done = shell(
        "fine-tune", tmp_path / "m", tmp_path / "both.csv", "--unfreeze", 1, "--epochs", 8, "--learning-rate", 0.01,
        "--batch-size", 8, "--folds", 1, "--store", tmp_path / "store", "--json", "--mixup", 0,
    )  # fmt: skip
    assert done.status == 0, done.err
    found = done.json
    assert set(found["metrics"]) == set(found["frozen_metrics"]) == {"order", "is_red"}
    assert found["adopted"]
    model = TransferModel.load(tmp_path / "m", store=tmp_path / "store")
    metrics = model.evaluate(tmp_path / "both.csv", progress=False).metrics
    assert min(metrics[name]["accuracy"].value for name in ("order", "is_red")) > 0.9
    assert saved.manifest.targets[0].classes == ("blue first", "red first")


def test_labels_that_are_numbers(tmp_path):
    """Classes 3 and 7 are tuned, saved and predicted as the numbers that they are, also from a table of texts."""
    X, y = orders(12)
    numbers = [3 if label == "red first" else 7 for label in y]
    model = fitted(X, numbers, store=tmp_path)
    model.fine_tune(X, numbers, **QUICK)
    assert {type(p.label) for p in model.predict(X)} == {int}
    report = model.fine_tune(X, [str(number) for number in numbers], **QUICK)
    assert report.items == 24


def test_labels_under_another_column_name(tmp_path):
    """A table whose only target has a name of its own is taken for the model's only one."""
    write_orders(tmp_path / "pictures", 8)
    paths = sorted((tmp_path / "pictures").rglob("*.png"))
    model = fitted(tmp_path / "pictures", store=tmp_path / "store")
    frame = pd.DataFrame({"image": map(str, paths), "which": [path.parent.name for path in paths]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert model.fine_tune(tmp_path / "table.csv", **QUICK).targets == ("label",)


def test_a_bad_item_is_set_aside(tmp_path, shell, weights):
    """What cannot be read is told with its reason and shifts nothing; with --strict it is an error."""
    data = write_orders(tmp_path / "pictures", 12)
    saved = fitted(data, store=tmp_path / "store", net=weights).save(tmp_path / "m")
    (data / "red first" / "0001.png").write_bytes(b"no picture")
    words = ["fine-tune", saved, data, "--unfreeze", 1, "--epochs", 1, "--folds", 1]
    done = shell(*words)
    assert done.status == 0, done.err
    assert "24 items; trained blocks.2" in done.out
    assert "Set aside 1 item that cannot be used:" in done.err
    strict = shell(*words, "--strict")
    assert strict.status == 1
    with pytest.raises(BadItemsError):
        TransferModel.load(saved).fine_tune(data, strict=True, **QUICK)


@pytest.mark.parametrize("ending", ["", "?long=windows&max_length=6"])
@pytest.mark.parametrize("unfreeze", [1, "all"])
def test_texts(tmp_path, ending, unfreeze):
    """Texts of several lengths, cut or in windows, through the last block or all of a BERT; predictions are kept."""
    y = ["card"] * 10 + ["refund"] * 10
    model = fitted(TEXTS, y, store=tmp_path / "store", net=f"hf:{write_network('bert', tmp_path / 'bert')}{ending}")
    before = model.predict(TEXTS).probabilities
    report = model.fine_tune(TEXTS, y, **{**QUICK, "unfreeze": unfreeze, "learning_rate": 1e-3})
    assert bool(report.notes) == (unfreeze == "all")
    after = model.predict(TEXTS).probabilities
    assert np.abs(after - before).max() > 1e-3
    loaded = TransferModel.load(model.save(tmp_path / "m"), store=tmp_path / "other")
    np.testing.assert_allclose(loaded.predict(TEXTS).probabilities, after, atol=1e-5)


@pytest.mark.parametrize("family", ["bert-words", "gpt2", "t5"])
def test_weights_that_are_tied(tmp_path, family):
    """A network whose embeddings serve a word head too: tuned whole, saved and loaded, it predicts the same."""
    y = ["card"] * 10 + ["refund"] * 10
    model = fitted(TEXTS, y, store=tmp_path / "store", net=f"hf:{write_network(family, tmp_path / family)}")
    base = {name: value.clone() for name, value in model.net.backbone.module.state_dict().items()}
    given = model.net.backbone.module
    model.fine_tune(TEXTS, y, **{**QUICK, "unfreeze": "all", "epochs": 1, "learning_rate": 1e-3})
    assert all(bool((given.state_dict()[name] == base[name]).all()) for name in base)
    after = model.predict(TEXTS).probabilities
    loaded = TransferModel.load(model.save(tmp_path / "m"), store=tmp_path / "other")
    np.testing.assert_allclose(loaded.predict(TEXTS).probabilities, after, atol=1e-5)


def test_sounds_of_several_lengths(tmp_path):
    """The bundled network for sounds: clips of two lengths, tuned and kept."""
    data = write_tones(tmp_path / "tones", each=6, seconds=0.4)
    write_tones(tmp_path / "tones" / "more", each=3, seconds=2.5)
    for kind in ("low", "high"):
        for file in (tmp_path / "tones" / "more" / kind).iterdir():
            file.rename(data / kind / f"long-{file.name}")
        (tmp_path / "tones" / "more" / kind).rmdir()
    (tmp_path / "tones" / "more").rmdir()
    model = fitted(data, store=tmp_path / "store", net=BACKBONE.replace("vision", "audio"))
    report = model.fine_tune(data, **QUICK)
    after = model.predict(data).probabilities
    loaded = TransferModel.load(model.save(tmp_path / "m"), store=tmp_path / "other")
    np.testing.assert_allclose(loaded.predict(data).probabilities, after, atol=1e-5)
    assert report.items == 18


@pytest.mark.parametrize("head", ["ridge", "svm", "lda", "mlp:8", "knn", "svm-rbf", "centroid"])
def test_every_head_is_a_start(tmp_path, head):
    """Linear heads and dense layers go on from where they are, others from a logistic regression; all are saved."""
    X, y = orders(10)
    model = fitted(X, y, store=tmp_path / "store", head=head)
    report = model.fine_tune(X, y, **QUICK)
    assert report.adopted
    (target,) = model.manifest.targets
    assert target.chosen["head"].endswith(", fine-tuned")
    assert not target.stores_training_rows
    after = model.predict(X).probabilities
    assert after.shape == (20, 2)
    again = icecore.fine_tune(model, X, y, **{**QUICK, "seed": 2})
    assert again.adopted


def test_a_model_on_several_layers(tmp_path):
    """The frozen head chose among layers; the tuned one reads `last`."""
    X, y = orders(10)
    model = TransferModel(network(), head="auto", layers=["blocks.0", "blocks.1", "last"], store=tmp_path)
    model.fit(X, y, folds=2, repeats=1, progress=False)
    model.fine_tune(X, y, **QUICK)
    assert [column.layer for column in model.manifest.backbone.columns] == ["last"]
    assert model.predict(X).probabilities.shape == (20, 2)
