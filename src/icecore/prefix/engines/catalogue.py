"""The engines by name, and which of them can be used here."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from shutil import which

import torch

from icecore.backbones.placing import AUTO
from icecore.errors import MissingExtraError, UsageError

_NEEDS = {"eager": (), "openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnxscript"), "compile": ()}
_EXTRA = {"openvino": "openvino", "onnxruntime": "onnx"}
ENGINES = (AUTO, *_NEEDS)


def require_engine(name: str) -> str:
    """An engine by its name. Raises UsageError for an unknown one, MissingExtraError where its library is missing."""
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", expected=f"Known are {', '.join(ENGINES)}.")
    missing = [package for package in _NEEDS.get(name, ()) if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"The engine {name} needs {' and '.join(missing)}, not installed here.",
            do=f"Install it with: pip install 'icecore[{_EXTRA[name]}]'",
        )
    if name == "compile" and not _compiles("cpu"):
        raise UsageError(
            "The engine compile needs a C++ compiler, and none was found.",
            do="Install g++ or clang++, or use another engine.",
        )
    return name


def installed(device: torch.device, precision: str) -> list[str]:
    """The engines besides `eager` that can be used here, the most promising first."""
    if device.type == "cuda":
        return ["compile"] if _compiles("cuda") else []
    if device.type != "cpu":
        return []
    found = [name for name in ("openvino", "onnxruntime") if all(find_spec(package) for package in _NEEDS[name])]
    if precision != "float32":
        found = [name for name in found if name != "onnxruntime"]  # it has no kernels for bfloat16 on processors
    # Torch's compiler takes minutes, and on processors OpenVINO was several times as fast wherever both were tried.
    return found or (["compile"] if _compiles("cpu") else [])


def versions_of(engine: str) -> dict[str, str]:
    """Versions of an engine's libraries, as they are installed here."""
    found = {}
    for package in _NEEDS.get(engine, ()):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _compiles(device: str) -> bool:
    """Whether torch's compiler has what it needs: Triton for GPUs, a C++ compiler for processors."""
    has: Callable[[str], object] = which
    return bool(find_spec("triton")) if device == "cuda" else any(map(has, ("g++", "clang++")))
