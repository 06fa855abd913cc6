"""Make torchvision importable beside a torch build that its compiled operators do not fit: here and nowhere else.

torchvision registers meta kernels for its operators `nms` and `qnms` when it is imported. Where its binary does not
load (a CPU build of torch beside the registry's CUDA build of torchvision, a common mixture), the operators were never
declared and the import fails with "operator torchvision::nms does not exist". It takes timm and parts of Transformers
with it. Declaring the two first is enough: classification networks and transforms use no compiled operator.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@cache
def ensure_torchvision_imports() -> None:
    """Declare what is missing, once for each process. Does nothing where torchvision is absent or works by itself."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    _load_operators(Path(spec.origin).parent)
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            _library().define(schema)  # type: ignore[no-untyped-call]  # torch.library is untyped


@cache
def _library() -> torch.library.Library:
    """Kept for the life of the process: a library that is collected takes its declarations with it."""
    return torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # likewise


def _load_operators(folder: Path) -> None:
    """Let the binary declare its own operators where it fits this torch."""
    for binary in folder.glob("_C.*"):
        try:
            torch.ops.load_library(str(binary))  # type: ignore[no-untyped-call]  # likewise
        except OSError:
            return
