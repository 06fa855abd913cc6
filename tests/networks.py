"""Small networks for tests: of every provider, in a folder of their own, and one that counts what it forwards."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from icecore import FeatureExtractor, PretrainedModel
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


def of_icecore(_: Path) -> str:
    return BACKBONE


PROVIDERS = {"hf": of_hf, "icecore": of_icecore, "timm": of_timm, "torch": of_torch, "torchvision": of_torchvision}


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
