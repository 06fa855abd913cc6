"""Which backbones can be used here, and which an extra would add."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from icecore import plugins
from icecore.backbones import Entry, parse
from icecore.backbones.licence import permissive

_COUNTED = 20  # networks whose parameters are counted where the catalogue does not know: up to a second each


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A provider: what it brings, an id as an example, whether it can be used, and what installs it."""

    name: str
    summary: str
    example: str
    installed: bool
    install: str
    networks: int


def providers() -> list[ProviderInfo]:
    """Every provider, the usable ones first."""
    found = [_info(name) for name in plugins.names("backbones")]
    return sorted(found, key=lambda info: (not info.installed, info.name))


def networks(pattern: str = "*", *, modality: str | None = None, licence: str | None = None) -> list[Entry]:
    """Pretrained networks that the installed providers name.

    The number of parameters is None where it would have to be counted and more than 20 networks match.

    Args:
        pattern: part of an id, or a pattern with `*`.
        modality: `image`, `text`, `sound`.
        licence: `permissive`, or the name of a licence.
    """
    wanted = pattern if "*" in pattern else f"*{pattern}*"
    usable = [info.name for info in providers() if info.installed]
    entries = [entry for name in usable for entry in plugins.get("backbones", name).catalogue()]
    found = [
        entry
        for entry in entries
        if fnmatch.fnmatch(entry.id, wanted) and modality in (None, entry.modality) and _allowed(entry, licence)
    ]
    return _counted(found) if len(found) <= _COUNTED else found


def _counted(entries: Sequence[Entry]) -> list[Entry]:
    """With their numbers of parameters, as far as their providers can tell."""
    return [entry if entry.parameters else replace(entry, parameters=_parameters(entry.id)) for entry in entries]


def _parameters(id: str) -> int | None:  # noqa: A002 - the public word for it
    reference = parse(id)
    count = getattr(plugins.get("backbones", reference.provider), "parameters", None)
    return None if count is None else int(count(reference.name))


def _info(name: str) -> ProviderInfo:
    provider = plugins.get("backbones", name)
    installed = all(find_spec(module) is not None for module in provider.requires)
    install = f"pip install 'icecore[{provider.extra}]'" if provider.extra else ""
    count = len(provider.names()) if installed else 0
    return ProviderInfo(name, provider.summary, provider.example, installed, install, count)


def _allowed(entry: Entry, licence: str | None) -> bool:
    if licence is None:
        return True
    return permissive(entry.licence) if licence == "permissive" else entry.licence == licence.lower()
