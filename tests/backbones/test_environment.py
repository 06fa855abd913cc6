"""Devices, extras, and working without a network connection."""

import os
import subprocess
import sys
import time

import pytest
import torch

from icecore.backbones import load
from icecore.backbones.device import resolve
from icecore.errors import MissingExtraError, UsageError, WeightsError


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")} | environment
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=120, check=False
    )


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu:x", "tpu:0"])
def test_an_unknown_device(name):
    """The error lists those that there are; the empty name is `auto`."""
    if not name:
        assert resolve(name) == resolve("auto") == resolve(None)
        return
    with pytest.raises(UsageError, match=r"There is no device|finds none"):
        resolve(name)


def test_an_absent_device():
    """A GPU that this machine has not is refused in a sentence, before anything is loaded."""
    absent = "cuda" if not torch.cuda.is_available() else f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(UsageError, match="was asked for"):
        load("icecore:vision-s@random", device=absent)
    assert resolve("cpu:0").type == "cpu"


REPAIRED = """
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
ensure_torchvision_imports()
ensure_torchvision_imports()
import torchvision.transforms
torchvision.transforms.Resize(8)
"""
DOORS = """
from icecore.backbones import extras, load
extras.require("transformers", "hf").ViTImageProcessor()
load("timm:test_vit@random", device="cpu").layers()
load("torchvision:squeezenet1_1@random", device="cpu").layers()
"""


@pytest.mark.slow
def test_libraries_come_up_through_icecores_door():
    """Whatever mixture of torch and torchvision is installed here, each library that needs it can be used."""
    done = fresh(DOORS)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_repair_is_all_that_torchvision_needs():
    """Where the plain import works, the repair changes nothing; where it does not, the repair is what helps."""
    plain, repaired = fresh("import torchvision"), fresh(REPAIRED)
    assert repaired.returncode == 0, repaired.stderr
    assert plain.returncode == 0 or "nms does not exist" in plain.stderr


EACH = """
from icecore.backbones import load
from icecore.errors import IcecoreError
import time
for name in {names}:
    start = time.monotonic()
    try:
        load(name)
    except IcecoreError as error:
        print(name, round(time.monotonic() - start), type(error).__name__, str(error).replace(chr(10), " "))
"""


def answers(names: list[str], before: str = "", **environment: str) -> list[str]:
    """What a fresh process says to each id: the id, the seconds it took, the class of the error, its text."""
    done = fresh(before + EACH.format(names=names), **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_missing_extra_names_the_command():
    """One sentence with the install command; and an unknown id is still unknown, not a missing extra."""
    blocked = "import sys\nfor name in ('timm', 'transformers', 'torchvision'): sys.modules[name] = None\n"
    names = ["timm:resnet18@random", "hf:org/name", "torchvision:resnet18@random", "resnet18"]
    timm, hf, torchvision, bare = answers(names, blocked)
    says = "MissingExtraError This needs {}, which is not installed. Install it with: pip install 'icecore[{}]'"
    assert says.format("timm", "timm") in timm
    assert says.format("transformers", "hf") in hf
    assert says.format("torchvision.models", "timm") in torchvision
    assert "UnknownBackboneError No provider knows the backbone 'resnet18'" in bare
    assert issubclass(MissingExtraError, ImportError)


def test_weights_that_are_not_here():
    """Without a connection the answer comes in seconds, and says where it was looked and what to do.

    The hub's name does not resolve, and a proxy refuses what torchvision asks for, as for a machine on its own.
    """
    names = ["timm:resnet18.a1_in1k", "hf:google/vit-base-patch16-224", "timm:resnet18.a1_in1k", "hf:org/no_such_name"]
    nowhere = {"HF_ENDPOINT": "https://hub.invalid", "HF_HUB_OFFLINE": "0"}
    first, hf, again, other = answers(names, **nowhere)
    assert "WeightsError timm:resnet18.a1_in1k cannot be loaded" in first
    assert "in the hub's cache " in first
    assert "give a local path: timm:PATH" in first
    assert "give a local path: hf:PATH" in hf
    assert "hf:org/no_such_name cannot be loaded" in other
    assert int(again.split()[1]) < 10


@pytest.mark.slow
def test_torchvision_weights_that_are_not_here():
    """The error names the file, where it comes from and where it belongs."""
    (said,) = answers(["torchvision:resnet18"], https_proxy="http://127.0.0.1:9", no_proxy="")
    assert "cannot be downloaded" in said
    assert "Put resnet18-f37072fd.pth from https://" in said
    assert "torchvision:resnet18?weights=FILE" in said


def test_a_second_answer_is_immediate():
    """Importing aside, missing weights are answered within ten seconds, offline by decree or by nature."""
    load("timm:test_vit@random", device="cpu")
    start = time.monotonic()
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load("timm:resnet18.a1_in1k")
    assert time.monotonic() - start < 10
