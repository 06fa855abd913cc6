"""Where a network runs."""

from __future__ import annotations

import torch

from icecore.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve(device: str | None) -> torch.device:
    """A device from its name; `auto` (or None) takes a GPU where there is one. Raises UsageError.

    Example:
        >>> resolve("cpu")
        device(type='cpu')
    """
    name = device or "auto"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind = name.partition(":")[0]
    if kind not in available:
        raise UsageError(
            f"There is no device {name!r}.", expected=f"Known are {', '.join(DEVICES)} and cuda:1, cuda:2, ..."
        )
    if not available[kind]:
        raise UsageError(
            f"The device {name!r} was asked for, and this installation of torch finds none.",
            do="Use --device auto or cpu, or install a torch build for your GPU.",
        )
    return torch.device(name)
