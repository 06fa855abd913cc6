"""What loading refuses: another network, damage, a newer version, a licence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import icecore
from icecore import PretrainedModel, TransferModel
from icecore.errors import ArtifactError, FingerprintError, HeadError, IcecoreError, LicenceError
from tests.artifact.models import fit
from tests.networks import PREPROCESS, of_hf, of_torch
from tests.small import BACKBONE


@pytest.fixture
def on_torch(colours: Path, store: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A saved model, and the folder that holds its network."""
    folder = tmp_path / "network"
    folder.mkdir()
    fit(colours, of_torch(folder), store, out=tmp_path / "m")
    return tmp_path / "m", folder


def change_one_weight(file: Path) -> None:
    state = load_file(file)
    name = next(name for name, value in state.items() if value.ndim == 4)  # a convolution
    state[name].view(-1)[0] += 1e-3
    save_file(state, file)


def test_one_changed_weight_is_refused(on_torch):
    """The network found under the same name is another one: the error names both and says what to do."""
    model, folder = on_torch
    change_one_weight(folder / "net.safetensors")
    with pytest.raises(FingerprintError) as caught:
        TransferModel.load(model)
    said = str(caught.value)
    assert "is not the network that" in said
    assert "its weights differ." in said
    assert "up to the layer last" in said
    assert said.endswith("Restore the weights, name the right ones with --backbone ID, or fit again.")


def test_one_changed_weight_of_the_included_copy_is_refused(colours, store, tmp_path):
    """The copy inside the model is checked like any other."""
    (tmp_path / "network").mkdir()
    fit(colours, of_hf(tmp_path / "network"), store, out=tmp_path / "m", include_backbone=True)
    change_one_weight(tmp_path / "m" / "backbone" / "model.safetensors")
    with pytest.raises(FingerprintError, match="its weights differ"):
        TransferModel.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ("icecore:vision-s@random-1", "its weights differ"),
        ("timm:test_resnet@random", "it comes from timm.v1, not icecore.v1"),
    ],
)
def test_another_network_is_refused(saved, other, difference):
    """Given by id, and given as it is in memory."""
    for backbone in (other, PretrainedModel.load(other)):
        with pytest.raises(FingerprintError, match=difference.replace(".", r"\.")):
            TransferModel.load(saved, backbone=backbone)


def test_another_preprocessing_is_refused(saved):
    """The same weights with inputs prepared otherwise are another function."""
    net = PretrainedModel.load(BACKBONE, preprocess={"resize": "exact", "resize_size": 64})
    with pytest.raises(FingerprintError, match="its preprocessing differs"):
        TransferModel.load(saved, backbone=net)


def test_a_moved_network_is_named(on_torch, colours, tmp_path):
    """The error says where to name it; named, by id or in memory, the model loads with its preprocessing."""
    model, folder = on_torch
    moved = Path(shutil.move(folder, tmp_path / "moved"))
    with pytest.raises(ArtifactError) as caught:
        TransferModel.load(model)
    assert "The backbone of" in str(caught.value)
    assert "Where the same weights lie elsewhere, name them with --backbone ID; it was torch:" in str(caught.value)
    (moved / "preprocess.json").unlink()
    name = f"torch:{moved / 'nets.py'}:build?weights={moved / 'net.safetensors'}"
    assert TransferModel.load(model, backbone=name).predict(colours).labels[0] == "blue"
    net = PretrainedModel.load(name, preprocess=json.loads(PREPROCESS))
    assert TransferModel.load(model, backbone=net).predict(colours).labels[0] == "blue"


def test_what_is_no_model_is_told(tmp_path):
    """A folder without a manifest, and no folder at all."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ArtifactError, match=r"is no icecore model: it holds no manifest\.json\. Make one with"):
            TransferModel.load(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "\x00" * len(text),
        lambda text: "[1, 2]",
        lambda text: text.replace('"targets"', '"tragets"'),
        lambda text: text.replace('"columns":[0]', '"columns":["x"]').replace('"items": 18', '"items": "many"'),
    ],
)
def test_a_damaged_manifest_is_told(saved, damage):
    """Cut off, empty, zeros, other JSON, other names or types: one error that says where."""
    file = saved / "manifest.json"
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    with pytest.raises(ArtifactError, match=r"manifest\.json is damaged \(.*\)\. Copy the model again, or fit again"):
        TransferModel.load(saved)


def test_a_newer_manifest_is_told(saved):
    """Another schema with fields that this version does not know."""
    file = saved / "manifest.json"
    manifest = json.loads(file.read_text("utf-8")) | {"schema_version": 5, "trees": []}
    file.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ArtifactError, match=r"made by a newer icecore: its manifest has schema 5\. .* Update icecore"):
        TransferModel.load(saved)


def test_damaged_arrays_are_told(saved):
    """One flipped bit, a cut file, no file."""
    file = saved / "head.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    for damaged in (bytes(content), bytes(content[:100]), b""):
        file.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="it is not the file that was saved with the manifest"):
            TransferModel.load(saved)
    file.unlink()
    with pytest.raises(ArtifactError, match=r"head\.safetensors cannot be used: No such file or directory"):
        TransferModel.load(saved)


def test_a_damaged_head_is_told(saved):
    """A manifest that describes a head of no known kind, or one whose arrays are not there."""
    file = saved / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    config = manifest["targets"][0]["head"]
    for damaged in ({}, config | {"steps": [{"step": "melt"}]}, config | {"head": "no-such-head"}):
        manifest["targets"][0]["head"] = damaged
        file.write_text(json.dumps(manifest), "utf-8")
        with pytest.raises((HeadError, IcecoreError)):
            TransferModel.load(saved)


def test_the_licence_comes_along_and_gates(colours, store, tmp_path):
    """`require_licence` refuses at fit, extract, and load; the model remembers the licence without its network."""
    folder = tmp_path / "network"
    folder.mkdir()
    name = of_hf(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n", "utf-8")
    text = r"have the licence 'cc-by-nc-4\.0'\. Required was: permissive\. Choose another backbone"
    with pytest.raises(LicenceError, match=text):
        fit(colours, name, store, require_licence="permissive")
    with pytest.raises(LicenceError, match=text):
        icecore.extract(colours, backbone=name, out=tmp_path / "f.npy", require_licence="permissive")
    model = fit(colours, name, store, out=tmp_path / "m", require_licence="cc-by-nc-4.0")
    said = "The licence of the backbone, cc-by-nc-4.0, does not allow commercial use."
    assert model.warnings == [said]
    assert said in (tmp_path / "m" / "README.md").read_text("utf-8")
    shutil.rmtree(folder)
    with pytest.raises(LicenceError, match=text):
        TransferModel.load(tmp_path / "m", require_licence="permissive")


def test_an_unknown_licence_is_no_permissive_one(on_torch):
    """Weights whose source states none: said aloud, and refused where a permissive one is required."""
    model, _ = on_torch
    assert TransferModel.load(model).warnings == ["The source of the backbone's weights states no licence."]
    with pytest.raises(LicenceError, match=r"'unknown'.*Its source states none: find out"):
        TransferModel.load(model, require_licence="permissive")


def test_models_of_version_1_still_predict(tmp_path):
    """A model saved by the first version loads, and says of its pictures what it said then, to 1e-5."""
    old = Path(__file__).parents[1] / "old_artifacts" / "v1"
    said = json.loads((old / "predictions.json").read_text("utf-8"))
    model = TransferModel.load(old / "colours", store=tmp_path)
    predicted = model.predict(old / "pictures")
    assert predicted.inputs == [line["input"] for line in said]
    assert predicted.labels.tolist() == [line["label"] for line in said]
    expected = [list(line["probabilities"].values()) for line in said]
    np.testing.assert_allclose(predicted.probabilities, expected, atol=1e-5)
