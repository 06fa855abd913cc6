"""Digests of the weights that a layer's output depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from icecore import keys
from icecore.backbones.trace import Trace

_NEVER = 1 << 62


class Digests:
    """Digests of a network's modules, made when first asked for and again when a weight was changed in between."""

    def __init__(self, module: nn.Module, make: Callable[[nn.Module], dict[str, bytes]] | None = None) -> None:
        self._module, self._make = module, make or module_digests
        self._state: list[tuple[int, ...]] = []
        self._made: dict[str, bytes] = {}

    def of(self, module: nn.Module) -> Digests:
        """The same for another module."""
        return Digests(module, self._make)

    def __call__(self) -> dict[str, bytes]:
        """Digest of each module's own weights, by path."""
        state = [_version(value) for value in chain(self._module.parameters(), self._module.buffers())]
        if not self._made or state != self._state:
            self._state, self._made = state, self._make(self._module)
        return self._made


def module_digests(module: nn.Module) -> dict[str, bytes]:
    """Digest of each module's own parameters and buffers, by path; modules without any are left out.

    Batch norm's count of batches is no part of the function and is not hashed.
    """
    digests = {}
    for name, part in module.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        chunks = [
            piece for key, value in sorted(own) if key != "num_batches_tracked" for piece in tensor_chunks(key, value)
        ]
        if chunks:
            digests[name] = keys.digest("module", chunks)
    return digests


def digest_up_to(way: Trace, whole: Trace, digests: Mapping[str, bytes], time: int) -> str:
    """Digest of the weights of every module that had started before an event of a trace.

    Args:
        way: the trace of the way on which the layer is taken.
        whole: the trace of the network's own forward.
        digests: of each module's own weights.
        time: of the event, on the clock of `way`.

    A module that is never called counts with its nearest ancestor that is: its weights may be used by name.
    """
    used = [name for name in sorted(digests) if _started(way, whole, name) < time]
    return keys.digest("weights", [chunk for name in used for chunk in (name.encode(), digests[name])]).hex()


def _started(way: Trace, whole: Trace, name: str) -> int:
    while name and name not in whole.calls and name not in way.calls:
        name = name.rpartition(".")[0]
    if not name:
        return -1
    return way.calls[name].started if name in way.calls else _NEVER


def _version(value: Tensor) -> tuple[int, ...]:
    """Changes with every change in place that torch counts, and with the memory."""
    return id(value), value.data_ptr(), 0 if value.is_inference() else value._version  # noqa: SLF001 - documented by torch


def tensor_chunks(name: str, value: Tensor) -> list[bytes | memoryview]:
    """What is hashed of a tensor."""
    plain = value.detach().cpu().contiguous()
    head = keys.canonical({"name": name, "dtype": str(plain.dtype), "shape": list(plain.shape)})
    return [head, plain.reshape(-1).view(torch.uint8).numpy().data]
