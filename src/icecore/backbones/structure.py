"""What a network of unknown origin computes, as far as can be read from it: classes, plain attributes, code.

For `torch:` factories and wrapped modules, whose names promise nothing. Changing a stride, an activation function or
the code of a `forward` changes it; moving the network to another device does not.
"""

from __future__ import annotations

import enum
import functools
import math
import types
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from icecore import keys
from icecore.backbones.code import code_of, full_name
from icecore.backbones.fingerprint import tensor_chunks

_NO_STRUCTURE = {
    *("training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook"),
    *("_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks", "_state_dict_pre_hooks"),
    *("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks", "_forward_hooks_with_kwargs"),
    *("_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "call_super_init", "dump_patches", "_version"),
    *("_is_torch_compile", "_compiled_call_impl"),
}
_HOOKS = {"_forward_hooks", "_forward_pre_hooks"}  # by numbers that only count registrations


def structure(module: nn.Module) -> dict[str, Any]:
    """JSON form of what a module computes, without its weights."""
    reader = _Reader(module)
    parts = {name: reader.describe(part) for name, part in module.named_modules(remove_duplicate=False)}
    return {"modules": keys.key("structure", parts), "code": keys.key("code", code_of(reader.code))}


class _Reader:
    """Reads attributes; what code it meets on the way is collected in `code`."""

    def __init__(self, module: nn.Module) -> None:
        self.code: list[Any] = [type(part) for part in module.modules()]
        self._known = {id(part) for part in module.modules()}

    def describe(self, part: nn.Module) -> list[Any]:
        own = {name: value for name, value in vars(part).items() if name not in _NO_STRUCTURE}
        hooks = {name: self._items(own.pop(name).values()) for name in _HOOKS if name in own}
        return [full_name(type(part)), self._plain(own), hooks, self._script(part)]

    def _script(self, part: nn.Module) -> Any:
        """Code of a scripted module, which has no class of its own, with the constants that it names."""
        if not isinstance(part, torch.jit.ScriptModule) or not hasattr(part, "forward"):
            return None
        code, constants = part.code_with_constants
        return [code, self._plain(constants.const_mapping)]

    def _plain(self, value: Any) -> Any:
        """JSON form of a value that has one; the name of its class for anything else."""
        if value is None or (isinstance(value, bool | int | str) and not isinstance(value, enum.Enum)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else repr(value)
        if isinstance(value, Mapping):
            return {str(name): self._plain(inner) for name, inner in value.items()}
        if isinstance(value, set | frozenset):
            return sorted(keys.canonical(item).decode() for item in self._items(value))
        if isinstance(value, list | tuple):
            return self._items(value)
        return self._special(value)

    def _special(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return keys.digest("tensor", tensor_chunks("", value)).hex()
        if isinstance(value, enum.Enum | torch.dtype):
            return repr(value)
        if isinstance(value, nn.Module):
            return self._unregistered(value)
        if isinstance(value, Namespace | types.SimpleNamespace):
            return self._plain(vars(value))
        if is_dataclass(value) and not isinstance(value, type):
            return {field.name: self._plain(getattr(value, field.name)) for field in fields(value)}
        return self._callable(value)

    def _callable(self, value: Any) -> Any:
        if isinstance(value, functools.partial):
            return ["partial", self._plain(value.func), self._items(value.args), self._plain(value.keywords)]
        if isinstance(value, types.MethodType):
            return self._callable(value.__func__)
        if isinstance(value, types.FunctionType | type):
            self.code.append(value)
            cells = getattr(value, "__closure__", None) or ()
            return [full_name(value), self._items(_content(cell) for cell in cells)]
        return full_name(type(value)) if not callable(value) else getattr(value, "__name__", full_name(type(value)))

    def _items(self, values: Iterable[Any]) -> list[Any]:
        return [self._plain(value) for value in values]

    def _unregistered(self, module: nn.Module) -> Any:
        """A module kept in a plain list or mapping, of which torch knows nothing: its structure and its weights."""
        if id(module) in self._known:
            return full_name(type(module))
        self._known |= {id(part) for part in module.modules()}
        self.code += [type(part) for part in module.modules()]
        parts = {name: self.describe(part) for name, part in module.named_modules()}
        return [parts, {name: self._plain(value) for name, value in module.state_dict().items()}]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None
