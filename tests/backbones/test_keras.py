"""`keras:` models, on the torch backend."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from icecore import PretrainedModel
from icecore.backbones import Cuttable, load, load_saved, save
from icecore.backbones.keras_backend import keras_on_torch
from icecore.data import ImagePreprocessing
from icecore.errors import BackboneError, PreprocessingError, UnknownBackboneError, WeightsError
from icecore.prefix import prefix_key
from tests.backbones.networks import run
from tests.networks import keras_model, of_keras

LAST = {"resize": "exact", "resize_size": 32, "channels_last": True}
MODES = {"vgg16": "VGG16", "mobilenet_v2": "MobileNetV2", "densenet": "DenseNet121", "efficientnet": "EfficientNetB0"}


@pytest.mark.parametrize("module", MODES)
def test_preprocessing_is_the_applications_own(module):
    """Its `preprocess_input`, in each of Keras's modes, on a picture that has the right size."""
    net = load(f"keras:{MODES[module]}?input_shape=[32,32,3]&include_top=false&classes=1@random", device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    own = getattr(keras_on_torch().applications, module).preprocess_input(pixels.astype(np.float32)[None])[0]
    np.testing.assert_allclose(net.prepare(Image.fromarray(pixels)), own, atol=1e-4)


@pytest.fixture
def name(tmp_path) -> str:
    return of_keras(tmp_path)


def test_a_file(name):
    """Every layer by its name, channels last."""
    net = load(name, device="cpu")
    assert isinstance(net, Cuttable)
    model = PretrainedModel(net)
    assert [layer.name for layer in model.layers()][:3] == ["input", "stem", "one_conv"]
    assert (model.layer("one_add").shape, model.layer("one_add").axes) == ((15, 15, 8), ("height", "width", "channels"))
    assert (model.blocks, net.classifier, model.layer("last").shape) == (["stem", "one_add"], "scores", (8,))


def test_keys_follow_the_weights(name, tmp_path, images):
    """A tuned tail leaves the keys below as they are; random generators have no part in any key."""
    net, other = load(name, device="cpu"), load(name, device="cpu")
    with torch.no_grad():
        other.module.get_submodule("two_conv").weights[0].value.add_(0.1)
    same = {layer: prefix_key(net, layer) == prefix_key(other, layer) for layer in ("one_add", "two_add", "last")}
    assert same == {"one_add": True, "two_add": False, "last": False}


def test_an_artifact_holds_it(name, tmp_path, images):
    """A file as it is, an application as a file: the same key and features from the folder alone."""
    for number, id_ in enumerate((name, "keras:MobileNet?alpha=0.25&input_shape=[32,32,3]@random-3")):
        net = load(id_, device="cpu")
        before, key = run(net, images, ["last"])["last"], prefix_key(net, "last")
        kept = tmp_path / f"kept{number}"
        kept.mkdir()
        save(net, kept)
        again = load_saved(id_, kept, net.preprocessing.value, "cpu")
        assert prefix_key(again, "last") == key
        assert torch.equal(run(again, images, ["last"])["last"], before)


def test_random_weights_are_seeded():
    """`@random-7` is another network than `@random`; layers are named alike however many were built before."""
    nets = [load(f"keras:MobileNetV3Small?input_shape=[32,32,3]@{seed}") for seed in ("random", "random-0", "random-7")]
    keys = [prefix_key(net, "last") for net in nets]
    assert keys[0] == keys[1] != keys[2]
    assert [list(net.layers()) for net in nets[:2]] == [list(nets[2].layers())] * 2


@pytest.mark.parametrize(("file", "size"), [("pretrainedResnet.h5", 32), ("vww_96.h5", 96)])
def test_files_of_keras_2(file, size, assets):
    """The MLPerf Tiny files load, whole; how their inputs were prepared has to be said."""
    path = assets / "weights" / "keras_h5" / file
    prepare = ImagePreprocessing(resize="exact", resize_size=size, scale=1.0, channels_last=True)
    net = load(f"keras:{path}", preprocess=prepare, device="cpu")
    assert (net.classifier, net.licence.name) == ("dense", "apache-2.0")
    with pytest.raises(PreprocessingError, match=rf"does not guess\. Its input has the shape \({size}, {size}, 3\)"):
        load(f"keras:{path}")


def test_a_model_in_memory(images):
    """A copy is taken: the model trains on, and a nested model lists its layers."""
    keras = keras_on_torch()
    base = keras.Model((inner := keras_model()).inputs, inner.get_layer("pool").output, name="base")
    model = keras.Sequential([base, keras.layers.Dense(3, name="head")])
    net = PretrainedModel.wrap(model, preprocess=LAST, name="mine")
    before = run(net.backbone, images, ["last", "base.one_add"])
    assert net.blocks == ["base.stem", "base.one_add"]
    key = prefix_key(net.backbone, "last")
    model.set_weights([value + 1 for value in model.get_weights()])
    assert torch.equal(run(net.backbone, images, ["last"])["last"], before["last"])
    assert prefix_key(PretrainedModel.wrap(model, preprocess=LAST).backbone, "last") != key
    assert all(value.requires_grad for value in model.layers[-1].parameters())


OTHER_BACKEND = """
from icecore.backbones import load
try:
    import keras
    load("keras:net.keras")
except Exception as error:
    print(type(error).__name__, error)
"""
ELSEWHERE = """
class backend:
    backend = staticmethod(lambda: "tensorflow")
config = Model = None
"""
NO_WEIGHTS = """
from icecore.backbones import load
try:
    load("keras:MobileNet")
except Exception as error:
    print(type(error).__name__, error)
"""


def said(code: str, folder: Path | None = None, **environment: str) -> str:
    """What a fresh process prints."""
    env = {**os.environ, **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keras_on_another_backend(tmp_path):
    """Keras already imported elsewhere is an error that says how to set it."""
    (tmp_path / "keras.py").write_text(ELSEWHERE, "utf-8")
    (tmp_path / "net.keras").write_bytes(b"")
    found = said(OTHER_BACKEND, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert "BackboneError Keras was imported on its tensorflow backend" in found
    assert "KERAS_BACKEND=torch" in found


@pytest.mark.slow
def test_weights_that_cannot_be_fetched():
    """Without a connection: the id, where it was looked for, and how to put them there, and nothing else is printed."""
    found = said(NO_WEIGHTS, https_proxy="http://127.0.0.1:9", no_proxy="")
    assert found.startswith("WeightsError The weights of keras:MobileNet cannot be fetched: ")
    assert "~/.keras/models" in found
    assert "keras:MobileNet?weights=FILE" in found
    assert "keras:MobileNet@random" in found


def test_weights_of_a_file(tmp_path, images):
    """`?weights=FILE` fills an application; a file that does not fit is told."""
    size = "alpha=0.25&input_shape=[32,32,3]"
    net = load(f"keras:MobileNet?{size}@random-5", device="cpu")
    file = tmp_path / "a.weights.h5"
    net.module.keras_model.save_weights(file)
    again = load(f"keras:MobileNet?{size}&weights={file}", device="cpu")
    assert torch.equal(run(again, images, ["last"])["last"], run(net, images, ["last"])["last"])
    with pytest.raises(WeightsError, match=r"The weights in .* do not fit MobileNet"):
        load(f"keras:MobileNet?alpha=0.5&input_shape=[32,32,3]&weights={file}")


def test_what_can_be_wrong(tmp_path):
    """Each mistake has its sentence; a SavedModel is told how to become an ONNX file."""
    with pytest.raises(UnknownBackboneError, match=r"Did you mean .*keras:VGG16"):
        load("keras:VGG61")
    with pytest.raises(BackboneError, match=r"cannot be built.*Check the options"):
        load("keras:MobileNet?no_such=1@random")
    with pytest.raises(WeightsError, match=r"There is no file none\.keras"):
        load("keras:none.keras")
    (tmp_path / "saved").mkdir()
    Path(tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name in (f"keras:{tmp_path}/saved", f"{tmp_path}/saved"):
        with pytest.raises(WeightsError, match=r"tf2onnx\.convert --saved-model .*saved --output model\.onnx"):
            load(name)
    (tmp_path / "a.keras").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be loaded by Keras"):
        load(f"keras:{tmp_path}/a.keras", preprocess=ImagePreprocessing(**LAST))
