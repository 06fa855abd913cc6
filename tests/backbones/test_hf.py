"""`hf:`: networks of Transformers from a local folder, with their own processor."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from icecore.backbones import extras, load, load_saved, save
from icecore.errors import BackboneError, PreprocessingError, WeightsError
from icecore.prefix import Column, blocks, column_key, pool
from tests.backbones.networks import close, run


def test_what_a_real_folder_says(assets):
    """MobileNetV2: its licence, and its blocks with their shapes."""
    net = load(f"hf:{assets / 'weights' / 'mobilenet_v2_hf'}", device="cpu")
    assert net.licence.name == "apache-2.0"
    assert len(blocks(net)) == 16
    assert net.layers()[blocks(net)[-1]].shape == (320, 7, 7)


@pytest.mark.parametrize("name", ["vit", "beit", "resnet", "convnext", "swin", "efficientnet", "mobilenet"])
def test_the_classifier_reads_last(name, hf_folder, images):
    """For every family the classifier makes `logits` of `last`."""
    net = load(f"hf:{hf_folder(name)}", device="cpu")
    found = run(net, images, ["last", "logits"])
    with torch.no_grad():
        assert close(net.module.get_submodule(net.classifier)(found["last"]), found["logits"])


def test_a_network_without_a_head_has_no_logits(hf_folder):
    """Its own output, pooled, is `last`."""
    layers = load(f"hf:{hf_folder('vit-base')}", device="cpu").layers()
    assert layers["last"].shape == (32,)
    assert "logits" not in layers


def test_a_distilled_twin_gives_its_base(hf_folder, images):
    """DeiT with a teacher averages two classifiers, so `last` is what its base gives: the class token, pooled."""
    net = load(f"hf:{hf_folder('deit')}", device="cpu")
    found = run(net, images, ["last", "logits", *blocks(net)])
    x = torch.stack([net.prepare(image) for image in images])
    with torch.no_grad():
        assert close(found["last"], net.module.deit(x)[0][:, 0])
        assert close(found["logits"], net.module(x).logits)
    assert net.layers()["last"].shape == (32,)


def test_class_tokens_are_no_places(hf_folder, images):
    """The mean of a token layer leaves the class token out, and `cls` takes it."""
    net = load(f"hf:{hf_folder('vit')}", device="cpu")
    (name,) = blocks(net)[-1:]
    layer, value = net.layers()[name], run(net, images, [blocks(net)[-1]])[name]
    assert (layer.shape, layer.axes, layer.prefix_tokens) == ((17, 32), ("tokens", "channels"), 1)
    assert close(pool(layer, value, "mean"), value[:, 1:].mean(1))
    assert close(pool(layer, value, "cls"), value[:, 0])
    assert load(f"hf:{hf_folder('deit')}", device="cpu").layers()["deit.layernorm"].prefix_tokens == 2
    assert load(f"hf:{hf_folder('swin')}", device="cpu").layers()["input"].prefix_tokens == 0


def copied(folder, to, **config):
    shutil.copytree(folder, to)
    if config:
        told = json.loads((to / "config.json").read_text("utf-8")) | config
        (to / "config.json").write_text(json.dumps(told), "utf-8")
    return to


def test_a_saved_backbone_is_whole(hf_folder, images, tmp_path):
    """From the artifact's folder alone come the same features under the same keys."""
    folder = copied(hf_folder("resnet"), tmp_path / "original")
    net = load(f"hf:{folder}", device="cpu")
    expected, key = run(net, images, ["last"])["last"], column_key(net, Column("last", "none"))
    save(net, tmp_path / "backbone")
    shutil.rmtree(folder)
    again = load_saved(net.id, tmp_path / "backbone", net.preprocessing.value, "cpu")
    assert column_key(again, Column("last", "none")) == key
    assert torch.equal(run(again, images, ["last"])["last"], expected)


def test_the_configuration_is_part_of_the_key(hf_folder, tmp_path):
    """Another activation function, and it is another network; new names for the labels change nothing."""
    nets = [
        load(f"hf:{folder}", device="cpu")
        for folder in (
            hf_folder("vit"),
            copied(hf_folder("vit"), tmp_path / "relu", hidden_act="relu"),
            copied(hf_folder("vit"), tmp_path / "labels", id2label={str(i): f"class {i}" for i in range(5)}),
        )
    ]
    keys = [column_key(net, Column("last", "none")) for net in nets]
    assert keys[0] == keys[2] != keys[1]


def test_the_processor_is_part_of_the_key(hf_folder, tmp_path):
    """Another mean, other keys."""
    folder = copied(hf_folder("vit"), tmp_path / "other")
    told = json.loads((folder / "preprocessor_config.json").read_text("utf-8")) | {"image_mean": [0.1, 0.1, 0.1]}
    (folder / "preprocessor_config.json").write_text(json.dumps(told), "utf-8")
    nets = [load(f"hf:{f}", device="cpu") for f in (hf_folder("vit"), folder)]
    assert len({column_key(net, Column("last", "none")) for net in nets}) == 2


def test_random_weights_of_a_folder(hf_folder):
    """`@random` builds the architecture anew, seeded, whatever weights lie there."""
    folder = hf_folder("vit")
    digests = [
        load(f"hf:{folder}{end}", device="cpu").weights_digest("last")
        for end in ("@random", "@random", "@random-1", "")
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def without(folder, to, part):
    """A copy of a folder whose weights lack the tensors that have a part in their names."""
    copied(folder, to)
    state = {name: value for name, value in load_file(to / "model.safetensors").items() if part not in name}
    save_file(state, to / "model.safetensors", metadata={"format": "pt"})
    return to


def test_a_missing_head_is_said(hf_folder, tmp_path):
    """Features below it are right, and a note says which numbers are random."""
    net = load(f"hf:{without(hf_folder('vit'), tmp_path / 'vit', 'classifier')}", device="cpu")
    assert "seeded random instead: classifier.bias, classifier.weight" in net.notes[0]


def test_a_missing_body_is_an_error(hf_folder, tmp_path):
    """A network half random is worse than an error."""
    folder = without(hf_folder("vit"), tmp_path / "vit", ".1.")
    with pytest.raises(WeightsError, match=r"lack \d+ tensors of the network \(vit\.layers\.1\."):
        load(f"hf:{folder}", device="cpu")


def test_a_missing_pooler_is_left_out(hf_folder, tmp_path):
    """Checkpoints of self-supervised ViTs have none: `last` is then their tokens, not a random pooling of them."""
    net = load(f"hf:{without(hf_folder('vit-base'), tmp_path / 'vit', 'pooler')}", device="cpu")
    assert net.layers()["last"].shape == (17, 32)
    assert net.notes == ()


def test_a_folder_without_preprocessing(hf_folder, tmp_path):
    """It is asked for, or taken from `preprocess.json`; random weights take any."""
    folder = copied(hf_folder("vit"), tmp_path / "vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(PreprocessingError, match="does not say how its inputs were prepared"):
        load(f"hf:{folder}", device="cpu")
    assert load(f"hf:{folder}@random", device="cpu").layers()["input"].shape == (3, 32, 32)
    (folder / "preprocess.json").write_text('{"resize": "exact", "resize_size": 32}', "utf-8")
    assert load(f"hf:{folder}", device="cpu").preprocessing.value["type"] == "image.v1"


def test_a_folder_without_weights(hf_folder, tmp_path):
    """The error says which files were looked for in the folder."""
    folder = copied(hf_folder("vit"), tmp_path / "vit")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"cannot be loaded.*looked for in that folder.*model\.safetensors"):
        load(f"hf:{folder}", device="cpu")


def test_a_network_of_an_unknown_kind(tmp_path):
    """The error says what it takes."""
    transformers = extras.require("transformers", "hf")
    transformers.TimeSeriesTransformerConfig(
        prediction_length=2, architectures=["TimeSeriesTransformerModel"]
    ).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="takes past_values"):
        load(f"hf:{tmp_path}@random", device="cpu")
