"""Numbers, several labels a row, classes in an order, and several of them at once: from pictures to a saved model."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import icecore
from icecore import TransferModel
from icecore.api import write_predictions
from icecore.errors import DataError, HeadError, UsageError
from tests.small import BACKBONE

QUICK = {"folds": 3, "repeats": 1, "progress": False}
NAMES = ("low", "mid", "high")


def grey(level: float, rng: np.random.Generator, *, red: bool = False) -> Image.Image:
    """A noisy picture of some brightness, redder or not."""
    pixels = rng.normal(level, 12, (24, 24, 3)) + np.array([50, -25, -25]) * red
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A table of 48 pictures: how bright each is, in numbers and in words, and what can be said of it."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("greys")
    rows = []
    for i, level in enumerate(np.linspace(40, 200, 48)):
        red = i % 3 == 0
        grey(level, rng, red=red).save(folder / f"{i:02d}.png")
        bright = bool(level > 120)
        tags = ["red"] * red + ["bright"] * bright
        rows.append(
            {
                "path": f"{i:02d}.png", "level": f"{level:.2f}", "word": NAMES[min(2, i // 16)],
                "red": int(red), "bright": int(bright), "tags": "; ".join(tags) or ";",
                "kind": "red" if red else "grey",
            }
        )  # fmt: skip
    with (folder / "greys.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "greys.csv"


def fit(table, store, target, **options):
    """A quick fit of some targets."""
    return icecore.fit(
        table, backbone=BACKBONE, input_col="path", target=target, store=store, **{"head": "ridge", **QUICK, **options}
    )


def test_a_number_is_predicted(table, store, tmp_path):
    """Guessed from fractional numbers and said; figures in its unit, an interval, the mean beside it; saved whole."""
    model = fit(table, store, "level", out=tmp_path / "m")
    report = model.report
    assert any("'level' holds numbers, so a number is predicted" in note for note in report.notes)
    (target,) = report.targets
    assert set(target.metrics) == {"r2", "mae", "rmse"}
    assert target.metrics["r2"].value > 0.8
    assert set(target.baselines) == {"raw_input", "mean_value"}
    assert abs(target.baselines["mean_value"]["r2"].value) < 1e-9
    found = model.predict(table, input_col="path")
    truth = np.linspace(40, 200, 48)
    assert np.abs(found.values - truth).mean() < 15
    assert found.labels.tolist() == found.values.tolist()
    one = found[5]
    assert one.low < one.value < one.high
    assert one.high - one.value == pytest.approx(report.to_json()["interval"])
    loaded = TransferModel.load(tmp_path / "m", store=store)
    np.testing.assert_allclose(loaded.predict(table, input_col="path").values, found.values, atol=1e-5)
    figures = loaded.evaluate(table, input_col="path", progress=False).metrics["level"]
    assert figures["mae"].value == pytest.approx(np.abs(found.values - truth).mean(), rel=0.05)
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text("utf-8"))
    assert manifest["schema_version"] == 3
    assert manifest["targets"][0]["task"] == "regression"
    assert "It predicts a number. 95 % of new ones lie within" in (tmp_path / "m" / "README.md").read_text("utf-8")


def test_the_interval_holds_what_it_says(store):
    """Of new pictures about 95 % lie in their interval."""
    rng = np.random.default_rng(3)
    levels = rng.uniform(40, 200, 240)
    pictures = [np.asarray(grey(level, rng)) for level in levels]
    noisy = levels + rng.normal(0, 20, 240)
    model = TransferModel(BACKBONE, head="ridge", store=store).fit(pictures[:120], noisy[:120], **QUICK)
    found = model.predict(pictures[120:])
    held = np.abs(found.values - noisy[120:]) <= found.half_width
    assert 0.88 <= held.mean() <= 1
    assert (
        TransferModel(BACKBONE, head="ridge", store=store)
        .fit(pictures[:15], noisy[:15], **QUICK)
        .predict(pictures[:1])[0]
        .to_json()["low"]
        is None
    )  # fewer rows say nothing about 95 % of new ones


@pytest.mark.parametrize("head", ["auto", "svm", "svm-rbf", "knn"])
def test_heads_of_numbers(table, store, head):
    """Chosen or by name; a head that only knows classes is told before any work is done."""
    assert fit(table, store, "level", head=head).report.targets[0].metrics["r2"].value > 0.6
    with pytest.raises(HeadError, match="'lda' predicts classes, and the target is a number"):
        fit(table, store, "level", head="lda")


def test_several_labels_in_one_column(table, store, tmp_path):
    """`a; b` texts: a probability and a threshold for each label; lists in Python are the same."""
    model = fit(table, store, "tags", task="multilabel", out=tmp_path / "m")
    assert model.report.targets[0].classes == ("bright", "red")
    assert set(model.report.to_json()["metrics"]) == {"mean_average_precision", "micro_f1", "macro_f1", "exact_match"}
    assert model.report.targets[0].metrics["mean_average_precision"].value > 0.9
    found = TransferModel.load(tmp_path / "m", store=store).predict(table, input_col="path")
    assert found.labels[0] == ("red",)
    assert found.labels[47] == ("bright",)
    assert found.indicators.shape == (48, 2)
    assert set(found[45].to_json()) == {"labels", "probabilities"}
    with table.open() as file:
        lists = [[tag for tag in row["tags"].split("; ") if tag != ";"] for row in csv.DictReader(file)]
    paths = [str(table.parent / f"{i:02d}.png") for i in range(48)]
    again = TransferModel(BACKBONE, head="ridge", store=store).fit(paths, lists, **QUICK)
    assert any("'label' holds lists, so several labels a row are predicted" in note for note in again.report.notes)
    np.testing.assert_allclose(again.predict(paths).probabilities, found.probabilities, atol=1e-5)
    assert again.evaluate(paths, lists, progress=False).metrics["label"]["micro_f1"].value > 0.9


def test_several_labels_in_columns_of_their_own(table, store, tmp_path):
    """Columns of 0 and 1 make one target together, by their names; a matrix in Python is the same."""
    model = fit(table, store, ["red", "bright"], task="multilabel", out=tmp_path / "m")
    assert [target.name for target in model.report.targets] == ["labels"]
    loaded = TransferModel.load(tmp_path / "m", store=store)
    assert loaded.manifest.targets[0].sources == ("red", "bright")
    assert loaded.evaluate(table, input_col="path", progress=False).metrics["labels"]["exact_match"].value > 0.8
    paths = [str(table.parent / f"{i:02d}.png") for i in range(48)]
    with table.open() as file:
        matrix = np.array([[int(row["red"]), int(row["bright"])] for row in csv.DictReader(file)])
    again = icecore.fit(paths, matrix, backbone=BACKBONE, head="ridge", store=store, task="multilabel", **QUICK)
    expected = model.predict(table, input_col="path").probabilities
    np.testing.assert_allclose(again.predict(paths).probabilities, expected, atol=1e-5)
    assert again.evaluate(paths, matrix, progress=False).metrics["labels"]["exact_match"].value > 0.8
    with pytest.raises(DataError, match=r"The column 'word' holds 'low'.*each holds 0 or 1"):
        fit(table, store, ["red", "word"], task="multilabel")


def test_classes_in_an_order(table, store, tmp_path):
    """The order is kept, mistakes count by ranks, the median is predicted."""
    model = fit(table, store, "word", order="low,mid,high", out=tmp_path / "m")
    (target,) = model.report.targets
    assert (target.task, target.classes) == ("ordinal", NAMES)
    assert target.metrics["quadratic_weighted_kappa"].value > 0.7
    assert set(target.baselines) == {"raw_input", "median_class"}
    found = TransferModel.load(tmp_path / "m", store=store).predict(table, input_col="path")
    assert found.labels[[0, 24, 47]].tolist() == list(NAMES)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    with pytest.raises(DataError, match=r"leaves out mid"):
        fit(table, store, "word", order="low,high")


def test_targets_of_different_tasks_share_an_extraction(table, store, tmp_path):
    """A number, a class, labels and ranks: one pass, one head each, one file of predictions."""
    model = fit(
        table, tmp_path / "store", ["level", "kind", "tags", "word"],
        task={"tags": "multilabel"}, order={"word": NAMES}, out=tmp_path / "m",
    )  # fmt: skip
    told = model.report.to_json()
    assert told["task"] == {"level": "regression", "kind": "classification", "tags": "multilabel", "word": "ordinal"}
    assert model.report.extraction.computed == 48
    loaded = TransferModel.load(tmp_path / "m", store=store)
    assert set(loaded.evaluate(table, input_col="path", progress=False).metrics) == set(told["task"])
    result = loaded.predict_targets(table, input_col="path")
    write_predictions(result, tmp_path / "p.parquet")
    columns = pq.read_table(tmp_path / "p.parquet").column_names
    assert columns[:2] == ["row", "input"]
    assert {"level.value", "level.low", "kind.label", "kind.p:red", "tags.labels", "tags.p:bright", "word.label"} <= {
        *columns
    }
    about = icecore.inspect(tmp_path / "m").manifest
    assert [target.task for target in about.targets] == list(told["task"].values())


def test_evidence_is_kept_of_every_task(table, store):
    """Numbers are (n,) and their predictions (n, 1); labels (n, k) both; each by models that had not seen the row."""
    model = fit(table, store, ["level", "tags"], task=["tags=multilabel"])
    level, tags = (model.evidence.targets[name] for name in ("level", "tags"))
    assert (level.task, level.y.shape, level.proba.shape) == ("regression", (48,), (48, 1))
    assert (tags.task, tags.y.shape, tags.proba.shape) == ("multilabel", (48, 2), (48, 2))
    assert level.scored.all()


def test_given_splits_are_kept_for_numbers(table, store, tmp_path):
    """Chosen and fitted on the training rows, scored on the others."""
    lines = table.read_text().splitlines()
    marked = [lines[0] + ",split", *(f"{line},{'test' if i % 4 == 0 else 'train'}" for i, line in enumerate(lines[1:]))]
    (table.parent / "split.csv").write_text("\n".join(marked))
    report = fit(table.parent / "split.csv", store, "level").report
    assert "scored on 12 others" in report.targets[0].evaluation
    assert report.targets[0].metrics["r2"].value > 0.8


def test_larger_features_than_memory(table, store):
    """Rows that stay in the store serve numbers and labels too."""
    model = fit(table, store, ["level", "tags"], task=["tags=multilabel"], memory=1)
    assert model.report.targets[0].metrics["r2"].value > 0.5
    assert model.report.targets[1].metrics["mean_average_precision"].value > 0.8


def test_what_makes_no_sense_is_told_before_any_work(table, tmp_path):
    """A task or a target that there is not, balance without classes, words that are no numbers."""
    store = tmp_path / "untouched"
    with pytest.raises(UsageError, match="no task 'regress'"):
        fit(table, store, "level", task="regress")
    with pytest.raises(UsageError, match=r"given for 'levle'\. The targets are level"):
        fit(table, store, "level", task="levle=regression")
    with pytest.raises(UsageError, match="There are no classes to balance"):
        fit(table, store, "level", class_weight="balanced")
    with pytest.raises(DataError, match="'word' is to be predicted as a number, and holds 'low'"):
        fit(table, store, "word", task="regression")
    assert not list(store.rglob("*.arrow"))


def test_inspect_tells_numbers_from_classes(table):
    """A column of numbers is summed up, not listed."""
    found = icecore.inspect(table, target=["level", "kind"], input_col="path", progress=False)
    assert set(found.classes) == {"kind"}
    assert found.numbers["level"].least == pytest.approx(40)
    assert found.numbers["level"].mean == pytest.approx(120, abs=0.1)
