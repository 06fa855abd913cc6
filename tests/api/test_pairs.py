"""Images, texts, and both together through the same verbs."""

import json

import numpy as np
import pytest

import icecore
from icecore.data import read
from icecore.errors import UsageError
from tests.cli.shell import Shell
from tests.small import picture
from tests.towers import write_towers

COLUMNS = {"image": "image", "text": "caption", "image+text": "image,caption"}
SIZE = {"image": 24, "text": 24, "image+text": 48}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_towers("clip", tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twelve pictures with captions; colour and animal go together."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    lines = ["image,caption,label"]
    for number in range(12):
        colour, animal = ("red", "cat") if number % 2 else ("blue", "dog")
        picture(colour, rng).save(folder / f"{number}.png")
        lines.append(f"{number}.png,one {animal} of {number},{animal}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "pairs.csv"


@pytest.mark.parametrize("wanted", COLUMNS)
def test_every_verb_takes_all_three(wanted, clip, table, tmp_path):
    """fit, predict, extract, inspect and a saved model with its backbone, which need only know the input columns."""
    shell, net = Shell(tmp_path), f"hf:{clip}?input={wanted}"
    column = ("--input-col", COLUMNS[wanted])
    fitted = shell(
        *("fit", table, "--backbone", net, *column, "--head", "ridge", "--folds", "2", "--out", "m.icecore"),
        *("--include-backbone", "--json"),
    )
    assert fitted.status == 0, fitted.err
    predicted = shell("predict", "m.icecore", table, *column, "--json")
    assert predicted.status == 0, predicted.err
    assert len(predicted.json["predictions"]) == 12
    assert json.loads((tmp_path / "m.icecore" / "manifest.json").read_text("utf-8"))["modality"] == wanted
    features = icecore.PretrainedModel.load(net).extract_features(table, input_col=COLUMNS[wanted], progress=False)
    assert features["last"].shape == (12, SIZE[wanted])
    assert features.report.computed == 0  # fit has left them in the store
    assert wanted in shell("inspect", net).out


@pytest.mark.parametrize("wanted", COLUMNS)
def test_evaluate_takes_all_three(wanted, clip, table, tmp_path):
    """Other rows are scored; a pair with a bad half is counted and not scored."""
    shell, column = Shell(tmp_path), ("--input-col", COLUMNS[wanted])
    lines = table.read_text("utf-8").splitlines()
    (table.parent / "seen.csv").write_text("\n".join(lines[:9]), "utf-8")
    (table.parent / "unseen.csv").write_text("\n".join([lines[0], *lines[9:], "gone.png,,cat"]), "utf-8")
    net = ("--backbone", f"hf:{clip}?input={wanted}", "--head", "ridge", "--folds", "2")
    assert shell("fit", table.parent / "seen.csv", *net, *column, "--out", "m.icecore").status == 0
    found = shell("evaluate", "m.icecore", table.parent / "unseen.csv", *column, "--json")
    assert found.status == 0, found.err
    assert (found.json["items"], found.json["bad_items"]) == (4, 1)
    assert found.json["metrics"]["accuracy"]["value"] == 1.0  # the colours and the words tell the classes apart
    shown = shell("evaluate", "m.icecore", table.parent / "unseen.csv", *column)
    assert "Set aside 1 item that cannot be used" in shown.err


def test_pairs_in_python(clip, table):
    """Tuples are fitted, predicted and transformed; a bad half is told; a pair is shown by both its names."""
    net = icecore.PretrainedModel.load(f"hf:{clip}?input=image+text")
    rows = [(str(table.parent / f"{n}.png"), f"one {'cat' if n % 2 else 'dog'}") for n in range(12)]
    model = icecore.TransferModel(net, head="ridge").fit(rows, ["dog", "cat"] * 6, folds=2, progress=False)
    assert len(model.report.targets[0].baselines) == 2  # the majority, and thumbnails with bags of words
    found = model.predict([*rows, ("nowhere.png", "one")])
    assert len(found) == 12
    assert [(bad.row, bad.reason) for bad in found.bad] == [(12, "image: no such file")]
    assert icecore.FeatureExtractor(net).fit_transform(rows).shape == (12, 48)


def test_a_table_of_pairs_is_seen_as_one(table, tmp_path):
    """`inspect` counts pairs where both columns are named."""
    told = Shell(tmp_path)("inspect", table, "--input-col", "image,caption", "--json")
    assert told.status == 0, told.err
    assert (told.json["modality"], told.json["items"]) == ("image+text", 12)


def test_images_alone_are_no_pairs(clip, table):
    """A network for both says what it needs."""
    net = icecore.PretrainedModel.load(f"hf:{clip}?input=image+text")
    with pytest.raises(UsageError, match=r"was read as image, and .* takes image\+text"):
        net.extract_features(read(table, input_col="image"), progress=False)
