"""`onnx:` graphs, by any tensor in them."""

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from icecore import PretrainedModel
from icecore.backbones import load, load_saved, save
from icecore.data import ArrayPreprocessing, ImagePreprocessing
from icecore.errors import BackboneError, PreprocessingError, WeightsError
from icecore.prefix import prefix_key
from icecore.testing import check_backbone
from tests.backbones.networks import PREPARE, close, run
from tests.networks import of_onnx, write_onnx

BLOCKS = ["stem/relu", "block1/relu"]


@pytest.fixture
def name(tmp_path):
    return of_onnx(tmp_path)


def test_any_tensor_is_what_the_file_computes(name, images, tmp_path):
    """Every tensor equals that of ONNX's own reference evaluator."""
    net = load(name, device="cpu")
    names = [layer for layer in net.layers() if layer not in ("input", "last", "logits")]
    found = run(net, images, [*names, "last"])
    x = np.stack([net.prepare(image) for image in images])
    expected = ReferenceEvaluator(str(tmp_path / "net.onnx")).run(None, {"x": x}, intermediate=True)
    for layer in names:
        assert close(found[layer], torch.from_numpy(expected[layer])), layer
    assert torch.equal(found["last"], found["flat"])


def test_a_graph_for_one_item_at_a_time(name, images, tmp_path):
    """It says that it is slower; an item alone, in a batch and in another order is the same."""
    assert not load(name, device="cpu").notes
    write_onnx(tmp_path / "net.onnx", items=1)
    net = load(name, device="cpu")
    assert "one item at a time" in net.notes[0]
    check_backbone(net, images, again=load(name, device="cpu"))


def test_what_it_says_of_itself(name, tmp_path):
    """Layers in run order with shapes and axes, blocks where residual blocks end, source, licence."""
    write_onnx(tmp_path / "net.onnx", licence="MIT")
    net = PretrainedModel.load(name, device="cpu")
    layers = {layer.name: layer for layer in net.layers()}
    assert list(layers)[:4] == ["input", "stem", "stem/relu", "block1/conv"]
    assert (layers["block1/relu"].shape, layers["block1/relu"].axes) == ((8, 15, 15), ("channels", "height", "width"))
    assert (layers["last"].shape, layers["logits"].shape) == ((8,), (4,))
    assert net.blocks == BLOCKS
    assert (net.modality, net.licence.name, net.backbone.source) == ("image", "mit", str(tmp_path / "net.onnx"))


def test_how_many_numbers_its_weights_are(name, tmp_path):
    """Those of the initialisers; a graph quantised afterwards has as many, its scales and shapes are not counted."""
    from onnxruntime.quantization import QuantFormat, quantize_dynamic, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [{"x": np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)}]

        def get_next(self):
            return self.left.pop() if self.left else None

    count = 8 * 27 + 8 * 72 + 8 * 72 + 32 + 4
    assert PretrainedModel.load(name, device="cpu").backbone.parameters == count
    whole, file = str(tmp_path / "net.onnx"), str(tmp_path / "small.onnx")
    (tmp_path / "small.json").write_text((tmp_path / "preprocess.json").read_text("utf-8"), "utf-8")
    for quantised in (
        lambda: quantize_static(whole, file, Reader(), quant_format=QuantFormat.QDQ, per_channel=True),
        lambda: quantize_static(whole, file, Reader(), quant_format=QuantFormat.QOperator),
        lambda: quantize_dynamic(whole, file),
    ):
        quantised()
        assert load(f"onnx:{file}", device="cpu").parameters == count


def test_an_artifact_holds_the_file(name, tmp_path, images):
    """`save` and `load_saved` give the same key and features from the folder alone; another file has another key."""
    net = load(name, device="cpu")
    before, key = run(net, images, ["last"])["last"], prefix_key(net, "last")
    (tmp_path / "kept").mkdir()
    save(net, tmp_path / "kept")
    (tmp_path / "net.onnx").unlink()
    again = load_saved(name, tmp_path / "kept", net.preprocessing.value, "cpu")
    assert torch.equal(run(again, images, ["last"])["last"], before)
    assert prefix_key(again, "last") == key
    write_onnx(tmp_path / "net.onnx", licence="mit")
    assert prefix_key(load(name, device="cpu"), "last") != key


def test_weights_beside_the_file(name, tmp_path, images):
    """Weights kept in a file of their own are found, are part of the key, and go into an artifact."""
    import onnx

    expected = run(load(name, device="cpu"), images, ["last"])["last"]
    model = onnx.load(tmp_path / "net.onnx")
    where = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    onnx.save_model(model, str(tmp_path / "net.onnx"), **where)
    net = load(name, device="cpu")
    assert torch.equal(run(net, images, ["last"])["last"], expected)
    key = prefix_key(net, "last")
    (tmp_path / "kept").mkdir()
    save(net, tmp_path / "kept")
    again = load_saved(name, tmp_path / "kept", net.preprocessing.value, "cpu")
    assert torch.equal(run(again, images, ["last"])["last"], expected)
    raw = bytearray((tmp_path / "net.data").read_bytes())
    raw[3] ^= 1
    (tmp_path / "net.data").write_bytes(raw)
    assert prefix_key(load(name, device="cpu"), "last") != key
    (tmp_path / "net.data").unlink()
    with pytest.raises(WeightsError, match=r"keeps weights in .*net\.data, which is not there"):
        load(name)


def test_a_graph_with_state(assets):
    """Silero's other inputs: the rate is asked for, the state begins with zeros."""
    file = assets / "weights" / "silero" / "silero_vad.onnx"
    with pytest.raises(BackboneError, match=r"has other inputs.*state.*sr \(int64, \(\)\).*\?sr=VALUE"):
        load(f"onnx:{file}", preprocess=ArrayPreprocessing(shape=(512,)))
    with pytest.raises(PreprocessingError, match=r"leaves open how large its input input is.*tensor\.v1"):
        load(f"onnx:{file}?sr=16000", preprocess=ArrayPreprocessing())
    net = load(f"onnx:{file}?sr=16000", preprocess=ArrayPreprocessing(shape=(512,)), device="cpu")
    assert (net.modality, net.licence.name, net.layers()["last"].shape) == ("array", "mit", (1,))


def test_arrays_are_data(assets, tmp_path):
    """With `tensor.v1`, rows of an array and `.npy` files are items, and give the same features."""
    file = assets / "weights" / "silero" / "silero_vad.onnx"
    net = PretrainedModel.load(f"onnx:{file}?sr=16000", preprocess={"type": "tensor.v1", "shape": [512]})
    clips = np.random.default_rng(0).normal(0, 0.1, (3, 512)).astype(np.float32)
    for number, clip in enumerate(clips):
        np.save(tmp_path / f"{number}.npy", clip)
    (tmp_path / "3.npy").write_bytes(b"no array")
    rows = net.extract_features(clips, progress=False)
    files = net.extract_features(tmp_path, progress=False)
    np.testing.assert_array_equal(rows["last"], files["last"])
    assert ["not an array in .npy form" in item.reason for item in files.bad] == [True]


def test_what_can_be_wrong(name, tmp_path):
    """Each mistake has its sentence."""
    with pytest.raises(WeightsError, match=r"There is no file none\.onnx"):
        load("onnx:none.onnx")
    with pytest.raises(WeightsError, match=r"has the weights that it has\. Leave @random out"):
        load(f"{name}@random")
    with pytest.raises(BackboneError, match=r"has no input 'z'\. Its inputs are x \(float32, \(\?, 3, 32, 32\)\)"):
        load(f"{name}?input=z")
    with pytest.raises(PreprocessingError, match=r"makes inputs of shape \(32, 32, 3\).*takes \(3, 32, 32\)"):
        load(name, preprocess=ImagePreprocessing(resize="exact", resize_size=32, channels_last=True))
    (tmp_path / "preprocess.json").unlink()
    with pytest.raises(PreprocessingError, match=r"does not guess\. Its input is x .*preprocess\.json beside"):
        load(name)
    (tmp_path / "net.onnx").write_bytes(b"\x00nothing")
    with pytest.raises(WeightsError, match="is no ONNX file that can be read"):
        load(name, preprocess=PREPARE)


def test_token_networks_are_sent_elsewhere(tmp_path):
    """A graph that takes token numbers says which inputs it has."""
    import onnx
    from onnx import helper

    words = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["n", "t"])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", "t"])
    graph = helper.make_graph([helper.make_node("Cast", ["input_ids"], ["y"], to=1)], "text", [words], [result])
    onnx.save(helper.make_model(graph, ir_version=9), tmp_path / "text.onnx")
    with pytest.raises(BackboneError, match=r"no input for measured numbers; its inputs are input_ids \(int64.*hf:"):
        load(f"onnx:{tmp_path}/text.onnx")
