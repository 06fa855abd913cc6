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
        raise _no_device(name)
    if not available[kind]:
        raise UsageError(
            f"The device {name!r} was asked for, and this installation of torch finds none.",
            do="Use --device auto or cpu, or install a torch build for your GPU.",
        )
    return _numbered(name, kind)


def _numbered(name: str, kind: str) -> torch.device:
    """`cuda:1` and the like. Raises UsageError where there is no device of that number."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise _no_device(name) from None
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if (device.index or 0) >= count:
        raise UsageError(
            f"The device {name!r} was asked for; there {'is' if count == 1 else 'are'} {count} of that kind.",
            do=f"Use --device {kind}, or a number up to {count - 1}.",
        )
    return device


def _no_device(name: str) -> UsageError:
    return UsageError(f"There is no device {name!r}.", expected=f"Known are {', '.join(DEVICES)}, cuda:0, cuda:1, ...")
