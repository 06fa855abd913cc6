"""In which numbers to train."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context of a forward pass in a precision: `float32`, `bfloat16` or `auto`."""
    return torch.autocast(device.type, torch.bfloat16) if wants_bfloat16(precision, device) else nullcontext()


def wants_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; `auto` does where the hardware multiplies matrices in it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)  # not in older torch
    has = capabilities()
    return device.type == "cpu" and any(has.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
