"""Networks of every provider, written to a folder that a test may delete, and models that were fitted on them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import icecore
from icecore import TransferModel
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from tests.small import BACKBONE, write_colours

PREPROCESS = '{"resize": "exact", "resize_size": 32}'
FACTORY = """
from torch import nn
def build(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders blue, green, red with six pictures each."""
    return write_colours(tmp_path_factory.mktemp("colours") / "colours", 6)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for tests that do not look at what is computed."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def fitted(colours: Path, store: Path) -> TransferModel:
    """A model on the bundled network. Not to be changed."""
    return fit(colours, BACKBONE, store)


@pytest.fixture
def saved(fitted: TransferModel, tmp_path: Path) -> Path:
    """It, saved to a folder of the test's own."""
    return fitted.save(tmp_path / "colours.icecore")


def fit(colours: Path, backbone: object, store: Path, **options: object) -> TransferModel:
    """A quick fit."""
    return icecore.fit(
        colours, backbone=backbone, head="ridge", store=store, folds=3, repeats=1, progress=False, **options
    )


def of_torch(folder: Path) -> str:
    (folder / "nets.py").write_text(FACTORY, "utf-8")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    torch.manual_seed(0)
    space: dict[str, Callable[[], torch.nn.Module]] = {}
    exec(FACTORY, space)
    save_file(space["build"]().state_dict(), folder / "net.safetensors")
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


@pytest.fixture(params=sorted(PROVIDERS))
def network(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """An id of each provider, and the folder that holds what it needs."""
    folder = tmp_path / "network"
    folder.mkdir()
    return PROVIDERS[request.param](folder), folder


def _with_weights(folder: Path, name: str) -> str:
    net = icecore.PretrainedModel.load(f"{name}@random-1", device="cpu")
    save_file({n: v.contiguous() for n, v in net.backbone.module.state_dict().items()}, folder / "net.safetensors")
    (folder / "preprocess.json").write_text(PREPROCESS, "utf-8")
    return f"{name}?weights={folder / 'net.safetensors'}"


def in_a_fresh_process(model: Path, data: Path, *, cwd: Path) -> np.ndarray:
    """Probabilities that a process of its own predicts, (n, k), with an empty store."""
    code = (
        "import icecore, json, sys\n"
        "model = icecore.TransferModel.load(sys.argv[1], store='fresh-store')\n"
        "print(json.dumps(model.predict(sys.argv[2]).probabilities.tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(data)],
        cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]))
