"""Weight files of every kind: read without pickle's powers, and fitted strictly."""

import argparse
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from icecore.backbones import weights
from icecore.errors import WeightsError
from tests.backbones.networks import plain, seeded


def fresh() -> nn.Module:
    return nn.Sequential(plain(), nn.BatchNorm1d(5))


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(module: nn.Module, state) -> bool:
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items() if "num_" not in name)


NESTS = {
    "bare": lambda state: state,
    "ordered": OrderedDict,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {}}},
    "model": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1, opt="sgd"), "scaler": {}},
    "twice": lambda state: {"model": {"state_dict": state}},
    "numpy": lambda state: {"state_dict": state, "best": np.float64(0.8), "hist": np.ones(3), "step": np.int64(3)},
    "module": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "compiled": lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
    "both": lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
    "lightning": lambda state: {"state_dict": {f"model.net.{k}": v for k, v in state.items()}, "hparams": {"lr": 1}},
    "averaged": lambda state: {"n_averaged": torch.tensor(3), **{f"module.{k}": v for k, v in state.items()}},
    "no counters": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    "half": lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
    "parameters": lambda state: {k: nn.Parameter(v) if v.is_floating_point() else v for k, v in state.items()},
}


@pytest.mark.parametrize("nest", NESTS)
def test_checkpoints_of_training_scripts_fit(nest, tmp_path):
    """Whatever nest, wrapper's prefix, counters or plain company: the weights arrive."""
    state = state_of(seeded(fresh()))
    torch.save(NESTS[nest](state), tmp_path / "w.pt")
    module = fresh()
    weights.fit(module, weights.read(tmp_path / "w.pt"), "w.pt")
    wanted = {k: v.half().float() for k, v in state.items()} if nest == "half" else state
    assert equal(module, wanted)


def test_safetensors_with_metadata(tmp_path):
    """Metadata beside the tensors is no hindrance; the suffix says the format."""
    state = state_of(seeded(fresh()))
    save_file(state, tmp_path / "w.safetensors", metadata={"format": "pt", "epoch": "3"})
    module = fresh()
    weights.fit(module, weights.read(tmp_path / "w.safetensors"), "w")
    assert equal(module, state)


def test_a_shared_tensor_may_be_in_the_file_once(tmp_path):
    """Tied weights are written once by safetensors; the other name is filled by the tie."""

    def tied() -> nn.Module:
        first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        second.weight = first.weight
        return nn.Sequential(first, second)

    saved = torch.ones(4, 4)
    save_file({"0.weight": saved}, tmp_path / "w.safetensors")
    module = tied()
    weights.fit(module, weights.read(tmp_path / "w.safetensors"), "w")
    assert torch.equal(module[1].weight, saved)


def test_a_module_of_that_name_is_no_prefix():
    """`model.` stays where the network itself has it."""
    module = nn.ModuleDict({"model": nn.Linear(2, 2)})
    state = {name: torch.ones_like(value) for name, value in module.state_dict().items()}
    weights.fit(module, {f"module.{name}": value for name, value in state.items()}, "w")
    assert equal(module, state)


class Evil:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return print, ("code ran",)


@pytest.mark.parametrize("content", [Evil(), {"state_dict": {}, "hook": Evil()}, nn.Linear(2, 2)], ids=type)
def test_pickled_objects_are_refused(content, tmp_path, capsys):
    """A file that could run code is not read, and the error says how to save the weights alone."""
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"holds pickled Python objects.*torch\.save\(model\.state_dict\(\)"):
        weights.read(tmp_path / "w.pt")
    assert capsys.readouterr().out == ""


BROKEN = {
    "empty": b"",
    "text": b"<html>404 not found</html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n",
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", BROKEN)
def test_damaged_files(kind, suffix, tmp_path):
    """An empty file, a web page or a Git LFS pointer is unreadable, not dangerous, and is to be fetched again."""
    (tmp_path / f"w.{suffix}").write_bytes(BROKEN[kind])
    with pytest.raises(WeightsError, match=r"cannot be read: .*Download or copy it again"):
        weights.read(tmp_path / f"w.{suffix}")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_truncated_files(suffix, tmp_path):
    """Half a download is found out."""
    file = tmp_path / f"w.{suffix}"
    if suffix == "pt":
        torch.save(fresh().state_dict(), file)
    else:
        save_file(state_of(fresh()), file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.read(file)


def test_a_missing_file(tmp_path):
    """The path is named."""
    with pytest.raises(WeightsError, match=r"There is no weights file .*none\.pt"):
        weights.read(tmp_path / "none.pt")


def test_a_file_without_tensors(tmp_path):
    """A checkpoint of anything else is not a state dict."""
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        weights.read(tmp_path / "w.pt")


def test_shapes_that_differ_are_explained():
    """The first few are shown with both shapes, and the error says where options go."""
    state = seeded(plain()).state_dict()
    wide = nn.Sequential(*plain()[:-1], nn.Linear(8, 10))
    with pytest.raises(
        WeightsError, match=r"2 shapes differ \(6\.weight is \(5, 8\) in the file and \(10, 8\)"
    ) as caught:
        weights.fit(wide, state, "w.pt")
    assert "options go into the id: ?weights=...&num_classes=10" in str(caught.value)


def test_names_that_are_missing_or_too_many_are_counted():
    """Nothing is loaded by half: a network half random is worse than an error."""
    state = dict(seeded(plain()).state_dict())
    state["head.weight"] = state.pop("6.weight")
    module = plain()
    before = state_of(module)
    with pytest.raises(
        WeightsError, match=r"1 names are missing \(6\.weight\); 1 are not the network's \(head\.weight\)"
    ):
        weights.fit(module, state, "w.pt")
    assert equal(module, before)


def test_quantised_integers_are_no_weights_of_a_float_network():
    """They would be read as numbers without their scale."""
    state = {name: value.to(torch.int8) for name, value in plain().state_dict().items()}
    with pytest.raises(WeightsError, match=r"of torch\.int8 in the file"):
        weights.fit(plain(), state, "w.pt")
