"""Code that comes with weights is not run: neither a repository's own, nor what a pickle hides."""

import json
import os

import pytest
import torch

from icecore.backbones import load, save
from icecore.errors import WeightsError
from tests.cli.shell import Shell
from tests.networks import of_hf
from tests.texts import write_network, write_steps

MODELING = """
from pathlib import Path
from transformers import ResNetForImageClassification
Path({!r}).write_text("ran", "ascii")
class Own(ResNetForImageClassification):
    pass
"""


class Evil:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    """What is there once foreign code ran."""
    return tmp_path / "mark"


@pytest.fixture
def remote(tmp_path, mark):
    """A Transformers folder whose class is in a file beside its weights."""
    folder = tmp_path / "remote net"
    of_hf(folder)
    (folder / "own_net.py").write_text(MODELING.format(str(mark)), "utf-8")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"auto_map": {"AutoModel": "own_net.Own"}, "architectures": ["Own"], "model_type": "resnet"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def test_code_of_a_repository_needs_a_flag(remote, mark, tmp_path):
    """Without it the library's own class is taken, or the error names the flag."""
    shell = Shell(tmp_path)
    shell("inspect", f"hf:{remote}", "--json")
    assert not mark.exists()
    config = json.loads((remote / "config.json").read_text("utf-8"))
    config |= {"model_type": "own-kind", "auto_map": {"AutoConfig": "own_net.Kind"} | config["auto_map"]}
    (remote / "config.json").write_text(json.dumps(config), "utf-8")
    refused = shell("inspect", f"hf:{remote}")
    assert refused.status == 1
    assert "comes with code of its own, which is not run unasked" in refused.err
    assert "--trust-remote-code" in refused.err
    assert "Traceback" not in refused.err
    assert not mark.exists()


def test_code_runs_where_it_is_trusted(remote, mark):
    """The flag is for networks whose code the user would run."""
    net = load(f"hf:{remote}", device="cpu", trust_remote_code=True)
    assert type(net.module).__name__ == "Own"
    assert mark.exists()


def refused(name, mark):
    with pytest.raises(WeightsError, match=r"holds pickled Python objects.*Save the weights alone"):
        load(name, device="cpu")
    assert not mark.exists()


def test_pickles_in_folders_are_not_run(mark, tmp_path):
    """`pytorch_model.bin` of Transformers, of a step of sentence-transformers, and of timm."""
    of_hf(tmp_path / "hf")
    (tmp_path / "hf" / "model.safetensors").unlink()
    torch.save({"w": Evil(mark)}, tmp_path / "hf" / "pytorch_model.bin")
    refused(f"hf:{tmp_path / 'hf'}", mark)
    save(load("timm:test_resnet@random", device="cpu"), tmp_path / "timm")
    (tmp_path / "timm" / "model.safetensors").unlink()
    torch.save({"w": Evil(mark)}, tmp_path / "timm" / "pytorch_model.bin")
    refused(f"timm:{tmp_path / 'timm'}", mark)
    text = write_network("sentence", tmp_path / "text")
    write_steps(text, [("Pooling", {}), ("Dense", {"in_features": 32, "out_features": 8})])
    torch.save({"w": Evil(mark)}, text / "2_Dense" / "pytorch_model.bin")
    refused(f"hf:{text}", mark)


def test_pickles_in_torchs_cache_are_not_run(mark):
    """What torchvision has downloaded, or someone has put in its place, is read as tensors too."""
    cache = torch.hub.get_dir() + "/checkpoints"
    os.makedirs(cache, exist_ok=True)  # noqa: PTH103
    torch.save({"w": Evil(mark)}, cache + "/squeezenet1_1-b8a52dc0.pth")
    refused("torchvision:squeezenet1_1", mark)
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
