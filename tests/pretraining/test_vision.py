"""The recipe of the bundled backbone, made small: what it draws, and that a killed run goes on where it was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from icecore.backbones.vision_s import VisionS
from pretraining.vision import formulas, views
from tests.imports import ROOT

KINDS = (
    formulas.textured,
    formulas.fractal,
    formulas.leaves,
    formulas.creature,
    formulas.scene,
    formulas.glyphs,
)
SMALL = ["--chunks", "2", "--views", "64", "--batch", "16", "--workers", "1", "--no-openvino", "--save-every", "0"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_formula_images_follow_the_seed_and_differ(kind):
    """The same seed draws the same picture, another one another; all values are finite."""
    surfaces = formulas.Surfaces(views.Photographs())
    first, again, other = (kind(np.random.default_rng(seed), 64, surfaces) for seed in (3, 3, 4))
    assert first.shape == (64, 64, 3)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_views_follow_the_seed_and_stay_in_range():
    """Crops, mixtures and colours are a function of the generator; values stay in 0..1 and are not flat."""
    rng = np.random.default_rng(0)
    bases = torch.from_numpy(np.stack([formulas.draw(rng, 64) for _ in range(8)])).permute(0, 3, 1, 2)
    first, again = (views.take(torch.Generator().manual_seed(5), bases, 32, 48) for _ in range(2))
    assert first.shape == (32, 3, 48, 48)
    assert torch.equal(first, again)
    assert (float(first.min()), float(first.max())) >= (0, 0)
    assert float(first.max()) <= 1
    assert float(first.std((1, 2, 3)).median()) > 0.05


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    """A MobileNetV2 with random weights as a Transformers folder."""
    from icecore.backbones.torchvision_ops import ensure_torchvision_imports

    ensure_torchvision_imports()
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2ImageProcessor

    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(0)
    MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=5)).save_pretrained(folder)
    MobileNetV2ImageProcessor().save_pretrained(folder)
    return folder


def started(out: Path, teacher: Path, samples: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pretraining.vision", "--out", str(out), "--teacher", f"hf:{teacher}", *SMALL]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([*command, "--samples", str(samples)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(teacher, tmp_path):
    """Killed in the middle of training and started again: the same float16 weights as of a run left alone."""
    whole = started(tmp_path / "whole", teacher, 512)
    assert whole.wait(300) == 0
    broken = started(tmp_path / "broken", teacher, 512)
    state = tmp_path / "broken" / "state.pt"
    while not state.exists():
        assert broken.poll() is None
        time.sleep(0.02)
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    assert not (tmp_path / "broken" / "vision-s.safetensors").exists()
    done = torch.load(state, weights_only=True)["step"]
    assert 0 < done < 32
    resumed = started(tmp_path / "broken", teacher, 512)
    assert resumed.wait(300) == 0
    first, second = (load_file(tmp_path / name / "vision-s.safetensors") for name in ("whole", "broken"))
    assert {value.dtype for value in first.values()} == {torch.float16}
    assert set(first) == {name for name in VisionS().state_dict() if not name.endswith("num_batches_tracked")}
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=2e-3)
    assert len((tmp_path / "broken" / "log.jsonl").read_text("utf-8").splitlines()) >= 8
