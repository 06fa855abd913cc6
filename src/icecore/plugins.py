"""Plug-ins: named factories for backbones, heads and readers. Built-ins come through the same door.

A package offers one by an entry point of its own,

    [project.entry-points."icecore.heads"]
    my-head = "my_package.heads:my_head"

and a running program by `register("heads", "my-head", factory)`, which wins over an entry point of the same name.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from icecore.errors import UsageError

GROUPS = ("backbones", "heads", "readers")
_registered: dict[tuple[str, str], Any] = {}


def register(group: str, name: str, factory: Any) -> None:
    """Offer a factory under a name, for this process."""
    _require_group(group)
    _registered[group, name] = factory


def names(group: str) -> list[str]:
    """Every name in a group, sorted."""
    _require_group(group)
    return sorted({name for g, name in _registered if g == group} | set(_entry_points(group)))


def get(group: str, name: str) -> Any:
    """The factory of that name. Raises UsageError with the nearest names where there is none."""
    _require_group(group)
    if (group, name) in _registered:
        return _registered[group, name]
    if name in _entry_points(group):
        return _entry_points(group)[name].load()
    known = names(group)
    close = difflib.get_close_matches(name, known, n=3)
    raise UsageError(
        f"There is no {group.removesuffix('s')} called {name!r}.",
        expected=f"Known are {', '.join(known)}.",
        do=f"Did you mean {' or '.join(close)}?" if close else "",
    )


@cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"icecore.{group}")}


def _require_group(group: str) -> None:
    if group not in GROUPS:
        raise UsageError(f"There is no plug-in group called {group!r}.", expected=f"Groups are {', '.join(GROUPS)}.")
