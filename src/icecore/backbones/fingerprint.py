"""Digests of what a layer's output derives from: the weights that run up to it, and the structure around them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from icecore import keys
from icecore.backbones.trace import Trace

_PRIVATE = {"training", "_is_full_backward_hook", "_version", "dump_patches", "call_super_init"}


def module_digests(module: nn.Module) -> dict[str, bytes]:
    """Digest of each module's own parameters and buffers, by path; modules without any are left out.

    Batch norm's count of batches is no part of the function and is not hashed.
    """
    digests = {}
    for name, part in module.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        chunks = [piece for key, value in sorted(own) if key != "num_batches_tracked" for piece in _tensor(key, value)]
        if chunks:
            digests[name] = keys.digest("module", chunks)
    return digests


def digest_up_to(trace: Trace, digests: Mapping[str, bytes], time: int) -> str:
    """Digest of the weights of every module that had started before an event of the trace.

    A module that was never called counts with its nearest ancestor that was: its weights may be used by name.
    """
    used = [name for name in sorted(digests) if _started(trace, name) < time]
    return keys.digest("weights", [chunk for name in used for chunk in (name.encode(), digests[name])]).hex()


def structure(module: nn.Module) -> dict[str, Any]:
    """What a network of unknown origin computes, as far as can be read from it: classes, plain attributes, code.

    For `torch:` factories and wrapped modules, whose names promise nothing. Editing a `forward` or a stride changes it.
    """
    parts = {name: [_class_name(part), _attributes(part)] for name, part in module.named_modules()}
    classes = {type(part) for part in module.modules() if not type(part).__module__.startswith("torch.")}
    code = {_full_name(cls): keys.key("code", _code(cls)) for cls in classes}
    return {"modules": keys.key("structure", parts), "code": keys.key("code", code)}


def _tensor(name: str, value: Tensor) -> list[bytes | memoryview]:
    plain = value.detach().cpu().contiguous()
    head = keys.canonical({"name": name, "dtype": str(plain.dtype), "shape": list(plain.shape)})
    return [head, plain.reshape(-1).view(torch.uint8).numpy().data]


def _started(trace: Trace, name: str) -> int:
    while name and name not in trace.calls:
        name = name.rpartition(".")[0]
    return trace.calls[name].started if name in trace.calls else -1


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {
        name: plain
        for name, value in vars(module).items()
        if name not in _PRIVATE and (plain := _plain(value)) is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, tuple | list) and all(isinstance(item, bool | int | float | str) for item in value):
        return [_plain(item) for item in value]
    return None


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _class_name(module: nn.Module) -> str:
    return _full_name(type(module))


def _code(cls: type) -> str:
    """The source of a class; where none is kept (an interactive session), the byte code of its forward."""
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        code = getattr(getattr(cls, "forward", None), "__code__", None)
        if code is None:
            return ""
        constants = [value for value in code.co_consts if isinstance(value, int | float | str | bytes | None)]
        return f"{code.co_code.hex()} {code.co_names} {constants}"
