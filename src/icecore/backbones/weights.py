"""Weight files: read without pickle's powers, prefixes taken off, fitted strictly."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from icecore.errors import WeightsError

_COUNTERS = {"n_averaged"}  # of torch's averaged models: no weight
_MAKERS = ("scalar", "_reconstruct")
_ARRAYS = import_module("numpy._core.multiarray")  # by name, because checkpoints name its two private makers
_HARMLESS: list[Any] = [
    *(argparse.Namespace, np.dtype, np.ndarray),
    *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool")),
    *((getattr(_ARRAYS, name), f"numpy.{core}.multiarray.{name}") for name in _MAKERS for core in ("core", "_core")),
]
_TENSORS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # of torch.load
_NESTS = ("state_dict", "model_state_dict", "model", "model_ema", "ema", "net", "network", "weights", "module")


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """State dict of a `.safetensors` file, or of a torch file read with `weights_only=True`.

    Raises WeightsError where there is no such file, where it is damaged, and where it holds pickled code.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise WeightsError(f"There is no weights file {file}.", do="Check the path after ?weights=.")
    found = _safetensors(file) if file.suffix == ".safetensors" else _torch(file)
    return _tensors(found, file)


@contextmanager
def tensors_only() -> Iterator[None]:
    """Whoever calls `torch.load` meanwhile gets tensors alone: libraries read what lies in their caches without."""
    before = os.environ.get(_TENSORS_ONLY)
    os.environ[_TENSORS_ONLY] = "1"
    try:
        yield
    finally:
        os.environ.pop(_TENSORS_ONLY)
        if before is not None:
            os.environ[_TENSORS_ONLY] = before


def fit(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict into a module, taking a wrapper's prefix (`module.`, `_orig_mod.`, ...) off its names.

    Every name and shape must fit: a network half random is worse than an error. Raises WeightsError.
    """
    wanted = module.state_dict()
    state = _without_prefix(state, set(wanted))
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    tied = _tied(wanted, state)
    missing = sorted(set(wanted) - set(state) - optional - tied)
    unexpected = sorted(set(state) - set(wanted) - _COUNTERS)
    shapes = [
        f"{name} is {_form(state[name])} in the file and {_form(wanted[name])} in the network"
        for name in wanted
        if name in state and _form(state[name]) != _form(wanted[name]) and name not in optional
    ]
    if missing or unexpected or shapes:
        raise WeightsError(
            f"The weights in {origin} do not fit the network: {_differences(missing, unexpected, shapes)}.",
            expected="Every name and shape must be the network's own.",
            do="Build the network as it was when they were saved; options go into the id: ?weights=...&num_classes=10.",
        )
    module.load_state_dict({name: value for name, value in state.items() if name in wanted}, strict=False)


def _tied(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> set[str]:
    """Names whose tensor is another name's too, which the file has: safetensors writes shared memory once."""
    there = {wanted[name].data_ptr() for name in wanted if name in state}
    return {name for name, value in wanted.items() if value.data_ptr() in there}


def _form(value: Tensor) -> str:
    """Shape and kind of number: 16-bit floats fit a network of 32-bit ones, quantised integers do not."""
    return f"{tuple(value.shape)}" if value.is_floating_point() else f"{tuple(value.shape)} of {value.dtype}"


def _safetensors(file: Path) -> Any:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise _unreadable(file, error) from error


def _torch(file: Path) -> Any:
    """Tensors, plain containers, and the harmless company that training scripts leave in their checkpoints."""
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        if blocked(error):
            raise holds_code(file) from error
        raise _unreadable(file, error) from error


def blocked(error: Exception) -> bool:
    """Whether it was raised because a file holds more than tensors."""
    return re.search(r"Unsupported (global|class)|GLOBAL|TorchScript", str(error)) is not None


def holds_code(file: str | Path) -> WeightsError:
    """The error for weights that could run code."""
    return WeightsError(
        f"{file} holds pickled Python objects, which can run code when they are read.",
        expected="icecore reads tensors only (weights_only=True).",
        do="Save the weights alone: torch.save(model.state_dict(), ...) or safetensors.",
    )


def _unreadable(file: Path, error: Exception) -> WeightsError:
    reason = "it is no checkpoint" if isinstance(error, pickle.UnpicklingError) else str(error).partition(". ")[0]
    return WeightsError(
        f"The weights file {file} cannot be read: {reason or 'it ends too early'}.", do="Download or copy it again."
    )


def _tensors(found: Any, file: Path) -> dict[str, Tensor]:
    """The names and tensors, from under the usual nests of training checkpoints."""
    while isinstance(found, Mapping) and not any(isinstance(value, Tensor) for value in found.values()):
        nest = next((name for name in _NESTS if isinstance(found.get(name), Mapping)), None)
        if nest is None:
            break
        found = found[nest]
    tensors = {str(k): v for k, v in found.items() if isinstance(v, Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise WeightsError(f"The file {file} holds no state dict.", expected="A mapping from names to tensors.")
    return tensors


def _without_prefix(state: Mapping[str, Tensor], wanted: set[str]) -> Mapping[str, Tensor]:
    """Drop the leading names that make the most keys fit."""
    candidates = {""} | {prefix for name in state for prefix in _prefixes(name)}

    def fits(prefix: str) -> int:
        return sum(name.removeprefix(prefix) in wanted for name in state if name.startswith(prefix))

    best = max(sorted(candidates, key=len), key=fits)
    return {name.removeprefix(best) if name.startswith(best) else name: value for name, value in state.items()}


def _prefixes(name: str) -> list[str]:
    """`a.b.` and `a.` of `a.b.weight`; numbers end a prefix, because they count layers."""
    parts = name.split(".")[:-1][:3]
    names = [part for part in parts if not re.fullmatch(r"\d+", part)]
    return [".".join(names[: i + 1]) + "." for i in range(len(names)) if names[: i + 1] == parts[: i + 1]]


def _differences(missing: list[str], unexpected: list[str], shapes: list[str]) -> str:
    parts = [
        f"{len(missing)} names are missing ({_some(missing)})" if missing else "",
        f"{len(unexpected)} are not the network's ({_some(unexpected)})" if unexpected else "",
        f"{len(shapes)} shapes differ ({_some(shapes)})" if shapes else "",
    ]
    return "; ".join(part for part in parts if part)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
