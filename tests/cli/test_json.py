"""`--json`: one object with the promised keys, and nothing else on standard output."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.small import BACKBONE, WIDTH, labelled

METRICS = {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error"}


def test_fit(shell, colours, tmp_path):
    """Model, task, classes, backbone, layer, head, metrics with intervals, baselines, counts, what was computed."""
    found = shell.process(
        "fit", colours, "-b", BACKBONE, "--head", "ridge", "--repeats", 1, "--out", "m", "--json"
    ).json
    assert list(found) == [
        "model", "task", "classes", "backbone", "layer", "head", "metrics", "baselines", "items", "bad_items",
        "extraction", "calibration", "near_duplicates", "leaks", "suspects", "learning_curve", "notes",
    ]  # fmt: skip
    assert (found["model"], found["task"], found["backbone"]) == ("m", "classification", BACKBONE)
    assert (found["classes"], found["layer"]) == (["blue", "green", "red"], "last")
    assert found["head"].startswith("ridge, penalty ")
    assert set(found["metrics"]) == METRICS
    assert all(list(figure) == ["value", "low", "high"] for figure in found["metrics"].values())
    assert set(found["baselines"]) == {"raw_input", "majority_class"}
    assert (found["items"], found["bad_items"]) == (18, 0)
    assert list(found["extraction"]) == ["computed", "reused", "seconds", "remarks", "stages", "engines"]
    assert list(found["extraction"]["stages"]) == ["read", "decode", "prepare", "forward", "write", "idle"]
    assert found["extraction"]["computed"] == 18
    again = shell("fit", colours, "-b", BACKBONE, "--head", "logistic:C=1", "--repeats", 1, "--json").json
    assert again["model"] is None
    assert (again["extraction"]["computed"], again["extraction"]["reused"]) == (0, 18)
    assert (tmp_path / "m" / "manifest.json").is_file()


def test_evaluate(shell, colours, model):
    """Metrics, items, bad items."""
    found = shell("evaluate", model, colours, "--json").json
    assert list(found) == ["metrics", "items", "bad_items", "notes"]
    assert set(found["metrics"]) == METRICS
    assert found["metrics"]["accuracy"]["value"] == 1.0
    assert found["metrics"]["accuracy"]["low"] < 1.0
    assert (found["items"], found["bad_items"]) == (18, 0)


def test_predict(shell, colours, model, tmp_path):
    """Input, label, probability and all probabilities; bad items are counted."""
    bad = tmp_path / "bad.png"
    bad.write_text("no picture", "utf-8")
    found = shell.process("predict", model, colours / "red" / "000.png", bad, colours / "blue", "--json").json
    assert list(found) == ["predictions", "bad_items", "notes"]
    assert found["bad_items"] == 1
    assert [line["label"] for line in found["predictions"]] == ["red"] + ["blue"] * 6
    first = found["predictions"][0]
    assert list(first) == ["input", "label", "probability", "probabilities"]
    assert first["input"].endswith("red/000.png")
    assert set(first["probabilities"]) == {"blue", "green", "red"}
    assert first["probability"] == max(first["probabilities"].values())


def test_extract(shell, colours, tmp_path):
    """Where it was written, a shape for each layer, counts, what was computed."""
    words = ("extract", colours, "-b", BACKBONE, "--layer", "last", "--layer", "-1", "--out", "f.parquet", "--json")
    found = shell(*words).json
    assert list(found) == ["out", "layers", "items", "bad_items", "extraction", "notes"]
    assert found["out"] == "f.parquet"
    assert found["layers"]["last"] == [WIDTH]
    assert len(found["layers"]) == 2
    assert (found["items"], found["bad_items"], found["extraction"]["computed"]) == (18, 0, 18)
    table = pq.read_table(tmp_path / "f.parquet")
    assert set(table.column_names) >= {"row", "input", *found["layers"]}
    assert table.num_rows == 18


@pytest.mark.parametrize("ending", ["npy", "npz", "arrow", "safetensors"])
def test_extract_writes_what_the_ending_says(shell, colours, tmp_path, ending):
    """NumPy, Arrow, safetensors."""
    found = shell("extract", colours, "-b", BACKBONE, "--out", f"new/f.{ending}", "--json").json
    assert found["out"] == f"new/f.{ending}"
    assert (tmp_path / "new" / f"f.{ending}").stat().st_size > 18 * WIDTH
    if ending == "npy":
        assert np.load(tmp_path / "new" / "f.npy").shape == (18, WIDTH)


def test_several_targets_nest(shell, colours, tmp_path):
    """With two --target columns, figures and predictions are named by target."""
    paths, words = labelled(colours)
    lines = [f"{path},{word},{'yes' if word == 'red' else 'no'}" for path, word in zip(paths, words, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["path,colour,warm", *lines]), "utf-8")
    words = ("-t", "colour", "-t", "warm", "-b", BACKBONE, "--head", "ridge", "--repeats", 1, "--out", "m", "--json")
    found = shell("fit", "t.csv", *words).json
    for name in ("classes", "layer", "head", "metrics", "baselines"):
        assert list(found[name]) == ["colour", "warm"]
    assert set(shell("evaluate", "m", "t.csv", "--json").json["metrics"]) == {"colour", "warm"}
    line = shell("predict", "m", paths[-1], "--json").json["predictions"][0]
    assert list(line) == ["input", "colour", "warm"]
    assert (line["colour"]["label"], line["warm"]["label"]) == ("red", "yes")


def test_inspect(shell, colours, model, tmp_path):
    """A network, a model and data each give one object; the bad rows of data are listed with their reasons."""
    net = shell("inspect", BACKBONE, "--json").json
    assert {"id", "licence", "preprocessing", "blocks", "layers"} <= set(net)
    assert [layer["shape"] for layer in net["layers"] if layer["name"] == "last"] == [[WIDTH]]
    assert shell("inspect", model, "--json").json["manifest"]["targets"][0]["classes"] == ["blue", "green", "red"]
    data = shutil.copytree(colours, tmp_path / "data")
    (data / "green" / "zzz.png").write_bytes(b"")
    shutil.copy(data / "red" / "000.png", data / "blue" / "same.png")
    found = shell("inspect", data, "--json").json
    assert found["classes"] == {"label": {"blue": 7, "green": 6, "red": 6}}
    assert found["bad"] == [{"row": 13, "input": "green/zzz.png", "reason": "the file is empty"}]
    assert (found["duplicates"], found["conflicts"]) == (1, ["red/000.png"])


def test_store(shell, colours):
    """ls, verify, compact, prune."""
    shell("extract", colours, "-b", BACKBONE, "--out", "f.npy")
    listed = shell("store", "ls", "--json").json
    (table,) = listed["tables"]
    assert (table["rows"], table["about"]["id"]) == (18, BACKBONE)
    assert shell("store", "verify", "--json").json == {"damaged": []}
    assert {"merged", "written"} <= set(shell("store", "compact", "--json").json)
    assert shell("store", "prune", "--max-size", "0", "--json").json["bytes_after"] == 0
    assert sum(table["bytes"] for table in shell("store", "ls", "--json").json["tables"]) == 0


def test_backbones(shell):
    """Providers; with a pattern or filter, networks."""
    names = {info["name"] for info in shell("backbones", "--json").json["providers"]}
    assert {"hf", "icecore", "timm", "torch", "torchvision"} <= names
    found = shell("backbones", "timm:resnet18*", "--licence", "permissive", "--json").json["backbones"]
    assert {"timm:resnet18.a1_in1k": 11_689_512}.items() <= {one["id"]: one["parameters"] for one in found}.items()
    many = shell("backbones", "timm:*", "--json").json["backbones"]
    assert {one["parameters"] for one in many} == {None}
    for name, count in {"keras:MobileNetV2": 3_538_984, "torchvision:resnet18@IMAGENET1K_V1": 11_689_512}.items():
        (one,) = shell("backbones", name, "--json").json["backbones"]
        assert one["parameters"] == count
    assert shell("inspect", "torchvision:resnet18@random", "--json").json["parameters"] == 11_689_512


def test_an_error_prints_no_object(shell, tmp_path):
    """With --json, too, an error is a sentence on standard error; standard output stays empty."""
    done = shell("fit", tmp_path / "none", "-b", BACKBONE, "--json")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("Error: There is no file or folder ")
