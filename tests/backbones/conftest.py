"""Small networks of every kind, and images, made once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from icecore.backbones import extras
from icecore.data import decode_image


@pytest.fixture(scope="session")
def images() -> list[Image.Image]:
    """Three different images of one size."""
    numbers = np.random.default_rng(0)
    rough = [numbers.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(3)]
    return [Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC) for pixels in rough]


@pytest.fixture(scope="session")
def photos(assets: Path) -> list[Image.Image]:
    """Real photographs, as `icecore.data` decodes them."""
    files = sorted((assets / "data" / "trashnet" / "paper").glob("*.jpg"))[:3]
    return [decode_image(file.read_bytes()) for file in files]


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """By the name of a family, a Transformers folder with a tiny, seeded network of it and its processor."""
    home = tmp_path_factory.mktemp("transformers")

    def folder(name: str) -> Path:
        if not (home / name).is_dir():
            write_tiny(name, home / name)
        return home / name

    return folder


def write_tiny(name: str, folder: Path) -> None:
    """A tiny network of a family, and its processor."""
    transformers = extras.require("transformers", "hf")
    transformers.utils.logging.disable_progress_bar()
    family, kind, side, config = TINY[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        module = getattr(transformers, f"{family}{kind}")(getattr(transformers, f"{family}Config")(**config))
        for name_, value in module.named_buffers():  # fresh statistics would make batch norm the identity
            if "running" in name_:
                value.uniform_(0.5, 1.5)
    module.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)


_VIT = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
_PATCHES = {"image_size": 32, "patch_size": 8}
_LABELS = {"num_labels": 5}
TINY = {
    "vit": ("ViT", "ForImageClassification", 32, _VIT | _PATCHES | _LABELS),
    "vit-base": ("ViT", "Model", 32, _VIT | _PATCHES),
    "deit": ("DeiT", "ForImageClassificationWithTeacher", 32, _VIT | _PATCHES | _LABELS),
    "beit": ("Beit", "ForImageClassification", 32, _VIT | _PATCHES | _LABELS),
    "dinov2": ("Dinov2", "Model", 28, _VIT | {"image_size": 28, "patch_size": 14}),
    "resnet": (
        *("ResNet", "ForImageClassification", 64),
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24], "depths": [1, 2, 1], "layer_type": "basic"} | _LABELS,
    ),
    "convnext": (
        "ConvNext",
        "ForImageClassification",
        64,
        {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2},
    ),
    "swin": (
        *("Swin", "ForImageClassification", 64),
        {"embed_dim": 12, "depths": [1, 1, 2], "num_heads": [2, 2, 4], "image_size": 64, "window_size": 4} | _LABELS,
    ),
    "mobilenet": (
        *("MobileNetV2", "ForImageClassification", 64),
        {"image_size": 64, "depth_multiplier": 0.25, "finegrained_output": False} | _LABELS,
    ),
    "efficientnet": (
        *("EfficientNet", "ForImageClassification", 64),
        {"image_size": 64, "width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320} | _LABELS,
    ),
}


@pytest.fixture
def nets_file(tmp_path: Path) -> Path:
    """A Python file with networks of the user's own, in an empty folder."""
    file = tmp_path / "nets.py"
    file.write_text(NETS, "utf-8")
    return file


NETS = """
import torch
from torch import nn

WIDTH = 8
SLOPE = 0.1


def activation(x):
    return torch.nn.functional.leaky_relu(x, SLOPE)


class Pools(nn.Module):
    def pooled(self, x):
        return x.mean((2, 3))


class Net(Pools):
    def __init__(self, width=WIDTH, stride=2):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride)
        self.body = nn.Conv2d(width, width, 3, stride)
        self.fc = nn.Linear(width, 5)

    def forward(self, x):
        x = self.body(activation(self.stem(x)))
        return self.fc(self.pooled(x))


def build(width=WIDTH, stride=2):
    return Net(width, stride)
"""
