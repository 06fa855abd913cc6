"""Where a network runs."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from icecore.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
_turns: defaultdict[torch.device, threading.RLock] = defaultdict(threading.RLock)


def resolve(device: str | None) -> torch.device:
    """A device from its name; `auto` (or None) takes a GPU where there is one. Raises UsageError.

    Example:
        >>> resolve("cpu")
        device(type='cpu')
    """
    name = device or "auto"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    kind = name.partition(":")[0]
    if kind not in available:
        raise _no_device(name)
    if not available[kind]:
        raise UsageError(
            f"The device {name!r} was asked for, and this installation of torch finds none.",
            do="Use --device auto or cpu, or install a torch build for your GPU.",
        )
    return _numbered(_own(name), kind)


@contextmanager
def whole_floats() -> Iterator[None]:
    """Let cuDNN's convolutions multiply float32 as it is: by default it rounds to the 10 bits of TF32.

    Features would differ by 1e-3 from those that a CPU computed, under the same key.
    """
    flags = torch.backends.cudnn
    before, flags.allow_tf32 = flags.allow_tf32, False
    try:
        yield
    finally:
        flags.allow_tf32 = before


def _own(name: str) -> str:
    """Processes that `accelerate launch` started together take a GPU each."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if name == "cuda" and "LOCAL_RANK" in os.environ else name


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


def turn(device: torch.device) -> AbstractContextManager[object]:
    """One pass at a time on a GPU, so that threads may stack and copy what is next meanwhile."""
    return _turns[device] if device.type == "cuda" else nullcontext()


def moved(value: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device. To a GPU it goes through pinned memory and beside what is computed there."""
    if device.type != "cuda" or value.device.type == "cuda":
        return value.to(device)
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    here = torch.cuda.current_stream(device)
    with torch.cuda.stream(aside):
        copied = value.pin_memory().to(device, non_blocking=True)
    here.wait_stream(aside)
    copied.record_stream(here)
    return copied
