"""`tflite:` graphs: quantised and not, with one item at a time and with batches."""

import numpy as np
import pytest
import torch

from icecore import PretrainedModel
from icecore.backbones import load, load_saved, save
from icecore.data import ArrayPreprocessing, read
from icecore.data import load as load_item
from icecore.errors import PreprocessingError, WeightsError
from icecore.prefix import prefix_key
from tests.backbones.networks import run

EMBEDDING = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
SMALL = "mobilenet_v1_0.25_128_quant.tflite"


@pytest.fixture
def folder(assets):
    return assets / "weights" / "tflite"


ARRAYS = {"kws_ref_model_float32.tflite": (49, 10, 1), "yamnet_spectra_in.tflite": (96, 64)}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_go_in_as_they_are(name, folder):
    """Keyword spotting (batches) and YAMNet (one at a time): `last` is what the dense layer reads."""
    items = list(np.random.default_rng(0).normal(0, 1, (3, *ARRAYS[name])).astype(np.float32))
    net = load(f"tflite:{folder / name}", preprocess=ArrayPreprocessing(), device="cpu")
    assert run(net, items, ["last"])["last"].flatten(1).shape[1] == (64 if "kws" in name else 1024)
    assert bool(net.notes) == ("yamnet" in name)


@pytest.mark.parametrize("name", [SMALL, EMBEDDING, "tf2_mobilenet_v2_1.0_224_ptq.tflite"])
def test_quantised_graphs_say_how_images_go_in(name, folder):
    """The preprocessing of MobileNets comes from the graph's own pixels."""
    net = load(f"tflite:{folder / name}", device="cpu")
    assert (net.modality, net.licence.name) == ("image", "apache-2.0")
    size = 128 if name == SMALL else 224
    assert net.layers()["input"].shape == (size, size, 3)
    value = net.preprocessing.value
    assert (255 * value["scale"] - value["mean"][0], -value["mean"][0]) == pytest.approx((1, -1), abs=0.01)
    assert any("the graph's own pixels" in note for note in net.notes)


@pytest.mark.parametrize(
    ("name", "count"), [(SMALL, 467_593), ("kws_ref_model_float32.tflite", 22_604), (EMBEDDING, 3_196_032)]
)
def test_how_many_numbers_its_weights_are(name, count, folder):
    """Constant tensors count, quantised or not, scales and shapes do not: what the architecture has, norms folded."""
    net = load(f"tflite:{folder / name}", preprocess=ArrayPreprocessing() if "kws" in name else None, device="cpu")
    assert net.parameters == count


def test_inner_tensors_are_the_numbers_that_they_stand_for(folder, photos):
    """The classifier's own arithmetic on `last`, in real numbers, gives the scores to within a step of quantisation."""
    net = PretrainedModel.load(f"tflite:{folder / SMALL}", device="cpu")
    assert len(net.blocks) == 26
    assert net.blocks[:2] == [
        "MobilenetV1/MobilenetV1/Conv2d_0/Relu6",
        "MobilenetV1/MobilenetV1/Conv2d_1_depthwise/Relu6",
    ]
    layer = net.layer("MobilenetV1/MobilenetV1/Conv2d_13_pointwise/Relu6")
    assert (layer.shape, layer.axes) == ((4, 4, 256), ("height", "width", "channels"))
    found = run(net.backbone, photos, [layer.name, "last"])
    step = 0.0236
    difference = found[layer.name].mean((1, 2)) - found["last"].flatten(1)
    assert difference.abs().max() <= step
    assert found[layer.name].max() <= 6.01


def test_it_knows_what_is_on_photographs(folder, assets):
    """The bytes go in as they should: an untrained reading of pixels would tell nothing of rubbish."""
    net = PretrainedModel.load(f"tflite:{folder / SMALL}", device="cpu")
    data = read(assets / "data" / "trashnet", labelled=True)
    pick = data.take(np.arange(0, len(data), 30))
    pictures = [load_item(item)[1] for item in pick.inputs]
    features = torch.cat([run(net.backbone, [one], ["last"])["last"].flatten(1) for one in pictures])
    (labels,) = pick.targets.values()
    nearest = torch.nn.functional.normalize(features) @ torch.nn.functional.normalize(features).T
    nearest.fill_diagonal_(-1)
    same = labels == labels[nearest.argmax(1).numpy()]
    assert same.mean() > 0.45


def test_an_artifact_holds_the_file(folder, tmp_path, photos):
    """`save` and `load_saved` give the same key and features."""
    net = load(f"tflite:{folder / SMALL}", device="cpu")
    save(net, tmp_path / "kept")
    again = load_saved(net.id, tmp_path / "kept", net.preprocessing.value, "cpu")
    assert prefix_key(again, "last") == prefix_key(net, "last")
    assert torch.equal(run(again, photos[:1], ["last"])["last"], run(net, photos[:1], ["last"])["last"])


def test_what_can_be_wrong(folder, tmp_path):
    """No file, no graph, and an input of which the graph does not say how it was prepared."""
    with pytest.raises(WeightsError, match=r"There is no file none\.tflite"):
        load("tflite:none.tflite")
    (tmp_path / "a.tflite").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="is no TFLite file that can be run"):
        load(f"tflite:{tmp_path / 'a.tflite'}")
    with pytest.raises(PreprocessingError, match=r"does not guess\. Its input is input_1 \(float32, \(49, 10, 1\)\)"):
        load(f"tflite:{folder / 'kws_ref_model_float32.tflite'}")
    (tmp_path / "a.tflite").write_bytes((folder / "kws_ref_model_float32.tflite").read_bytes())
    (tmp_path / "preprocess.json").write_text('{"type": "tensor.v1"}', "utf-8")
    assert load(f"tflite:{tmp_path / 'a.tflite'}").modality == "array"
