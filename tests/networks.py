"""Small networks for tests: of every provider, in a folder of their own, and one that counts what it forwards."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from icecore import FeatureExtractor, PretrainedModel
from icecore.backbones.keras_backend import keras_on_torch, seeded_keras
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from tests.small import BACKBONE

PREPROCESS = '{"resize": "exact", "resize_size": 32}'
FACTORY = """
from torch import nn
def build():
    return nn.Sequential(nn.Conv2d(3, {}, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def of_torch(folder: Path, width: int = 8) -> str:
    """The id of a factory in a file, with a local checkpoint."""
    (folder / "nets.py").write_text(FACTORY.format(width), "utf-8")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    torch.manual_seed(0)
    names: dict[str, type[nn.Module]] = {}
    exec(FACTORY.format(width), names)
    save_file(names["build"]().state_dict(), folder / "net.safetensors")
    return f"torch:{folder / 'nets.py'}:build?weights={folder / 'net.safetensors'}"


def of_timm(folder: Path) -> str:
    return _with_weights(folder, "timm:test_resnet")


def of_torchvision(folder: Path) -> str:
    return _with_weights(folder, "torchvision:shufflenet_v2_x0_5")


def of_hf(folder: Path) -> str:
    ensure_torchvision_imports()
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=4, layer_type="basic")
    ResNetForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", "utf-8")
    return f"hf:{folder}"


def of_onnx(folder: Path) -> str:
    write_onnx(folder / "net.onnx")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    return f"onnx:{folder / 'net.onnx'}"


def of_keras(folder: Path) -> str:
    keras_model().save(folder / "net.keras")
    (folder / "preprocess.json").write_text('{"resize": "exact", "resize_size": 32, "channels_last": true}', "utf-8")
    return f"keras:{folder / 'net.keras'}"


def of_icecore(_: Path) -> str:
    return BACKBONE


PROVIDERS = {
    "hf": of_hf,
    "icecore": of_icecore,
    "keras": of_keras,
    "onnx": of_onnx,
    "timm": of_timm,
    "torch": of_torch,
    "torchvision": of_torchvision,
}


def write_onnx(file: Path, *, items: int | str = "n", licence: str = "") -> None:
    """A little residual network with a classifier, for a free or a fixed number of items. Seeded."""
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    sizes = {"w0": (8, 3, 3, 3), "w1": (8, 8, 3, 3), "w2": (8, 8, 3, 3), "fc.w": (8, 4), "fc.b": (4,)}
    weights = {name: rng.normal(0, 0.2, size).astype(np.float32) for name, size in sizes.items()}
    same = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["stem"], strides=[2, 2]),
        helper.make_node("Relu", ["stem"], ["stem/relu"]),
        helper.make_node("Conv", ["stem/relu", "w1"], ["block1/conv"], **same),
        helper.make_node("Add", ["block1/conv", "stem/relu"], ["block1/add"]),
        helper.make_node("Relu", ["block1/add"], ["block1/relu"]),
        helper.make_node("Conv", ["block1/relu", "w2"], ["block2/conv"], **same),
        helper.make_node("Add", ["block2/conv", "block1/relu"], ["block2/add"]),
        helper.make_node("GlobalAveragePool", ["block2/add"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc.w", "fc.b"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["y"]),
    ]
    image = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [items, 3, 32, 32])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [items, 4])
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", [image], [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if licence:
        helper.set_model_props(model, {"license": licence})
    onnx.save(model, file)


def keras_model() -> Any:
    """A little residual network with a classifier, channels last. Seeded."""
    keras = keras_on_torch()
    with seeded_keras(keras, 0):
        x = image = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(8, 3, 2, activation="relu", name="stem")(x)
        for name in ("one", "two"):
            y = keras.layers.Conv2D(8, 3, padding="same", name=f"{name}_conv")(x)
            y = keras.layers.BatchNormalization(name=f"{name}_norm")(y)
            x = keras.layers.Add(name=f"{name}_add")([x, y])
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dropout(0.5, name="drop")(x)
        return keras.Model(image, keras.layers.Dense(4, activation="softmax", name="scores")(x), name="net")


def _with_weights(folder: Path, name: str) -> str:
    net = PretrainedModel.load(f"{name}@random-1", device="cpu")
    save_file({n: v.contiguous() for n, v in net.backbone.module.state_dict().items()}, folder / "net.safetensors")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    return f"{name}?weights={folder / 'net.safetensors'}"


class Counted(nn.Module):
    """A small convolution. Each forward appends the number of its items to a file."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.log.open("a", encoding="ascii") as file:
            file.write(f"{len(x)}\n")
        return self.stem(x)


def counted(log: Path) -> PretrainedModel:
    """The network, wrapped. What it forwards while its layers are listed is not counted."""
    torch.manual_seed(0)
    net = PretrainedModel.wrap(Counted(log), preprocess={"resize": "exact", "resize_size": 16}, name="counted")
    net.layers()
    log.write_text("", "ascii")
    return net


def forwarded(log: Path) -> int:
    """Items forwarded so far."""
    return sum(map(int, log.read_text("ascii").split()))


def features_of_one(net: PretrainedModel, path: str, store: Path) -> np.ndarray:
    """Features of one picture, (1, d)."""
    return FeatureExtractor(net, store=store).fit_transform([path])
