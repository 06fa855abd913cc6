"""Weight files: read without pickle's powers, prefixes taken off, fitted strictly."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from icecore.errors import WeightsError

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


def fit(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict into a module, taking a wrapper's prefix (`module.`, `_orig_mod.`, ...) off its names.

    Every name and shape must fit: a network half random is worse than an error. Raises WeightsError.
    """
    wanted = module.state_dict()
    state = _without_prefix(state, set(wanted))
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = sorted(set(wanted) - set(state) - optional)
    unexpected = sorted(set(state) - set(wanted))
    shapes = [
        f"{name} is {tuple(state[name].shape)} in the file and {tuple(wanted[name].shape)} in the network"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    if missing or unexpected or shapes:
        raise WeightsError(
            f"The weights in {origin} do not fit the network: {_differences(missing, unexpected, shapes)}.",
            expected="Every name and shape must be the network's own.",
            do="Build the network as it was when they were saved; options go into the id: ?weights=...&num_classes=10.",
        )
    module.load_state_dict(dict(state), strict=not optional)


def _safetensors(file: Path) -> Any:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"The weights file {file} cannot be read: {error}.", do="Download or copy it again."
        ) from error


def _torch(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"The file {file} holds pickled Python objects, which can run code when they are read.",
            expected="icecore reads tensors only (weights_only=True).",
            do="Save the weights alone: torch.save(model.state_dict(), ...) or safetensors.",
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        raise WeightsError(
            f"The weights file {file} cannot be read: {error}.", do="Download or copy it again."
        ) from error


def _unreadable(file: Path, error: Exception) -> WeightsError:
    return WeightsError(f"The weights file {file} cannot be read: {error}.", do="Download or copy it again.")


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
