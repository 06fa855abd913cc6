"""The code that a network runs, as far as it is not a library's: its classes, and what they call by name."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

_LIBRARIES = {"timm", "torchvision", "transformers"}


def code_of(parts: Iterable[Any]) -> dict[str, str]:
    """Source by name of classes and functions, and of the classes and functions that those refer to.

    References are followed within the packages of the parts, wherever these are installed. torch and what comes with
    Python is left out, and libraries of networks are not followed: their versions are recorded with the rows.
    """
    waiting = list(parts)
    homes = {_top(part) for part in waiting} - _LIBRARIES
    found: dict[str, str] = {}
    while waiting:
        part = waiting.pop()
        name = full_name(part)
        if name not in found and _top(part) != "torch" and _top(part) not in sys.stdlib_module_names:
            found[name] = _source(part)
            waiting += _referred(part) if _top(part) in homes else []
    return found


def full_name(part: Any) -> str:
    """Module and qualified name of a class or function."""
    return f"{part.__module__}.{part.__qualname__}"


def _referred(part: Any) -> Iterator[Any]:
    """The bases of a class, and the classes and functions that its methods, or a function, name."""
    if isinstance(part, type):
        yield from part.__bases__
    for function in _functions(part):
        yield from _globals_of(function)


def _functions(part: Any) -> list[Any]:
    """The methods of a class, or the function itself, without decorators."""
    members = vars(part).values() if isinstance(part, type) else [part]
    plain = [getattr(member, "fget", None) or getattr(member, "__func__", member) for member in members]
    return [inspect.unwrap(member) for member in plain if isinstance(member, types.FunctionType)]


def _globals_of(function: Any) -> Iterator[Any]:
    """What a function names: globals, and attributes of the modules among them."""
    names = set(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        inner = [vars(value).get(other) for other in names] if isinstance(value, types.ModuleType) else [value]
        yield from (found for found in inner if isinstance(found, types.FunctionType | type))


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _source(part: Any) -> str:
    """Its source, or where none is kept (an interactive session) its byte code; and the constants that it names."""
    functions = _functions(part)
    try:
        text = inspect.getsource(part)
    except (OSError, TypeError):
        text = "\n".join(_bytes(function.__code__) for function in functions)
    return "\n".join([text, *sorted({line for function in functions for line in _constants(function)})])


def _constants(function: Any) -> Iterator[str]:
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, int | float | str | tuple) and not name.startswith("__"):
            yield f"{name} = {value!r}"


def _bytes(code: types.CodeType) -> str:
    constants = [_bytes(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _top(part: Any) -> str:
    return str(part.__module__).partition(".")[0]
