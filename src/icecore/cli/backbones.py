"""`icecore backbones`: what can be used here."""

from __future__ import annotations

from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import millions, print_json, say, table

_SHOWN = 40


def backbones(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of an id, or a pattern with *.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="image, text or sound")] = None,
    licence: Annotated[str | None, typer.Option(help="permissive, or the name of a licence.")] = None,
    json: options.Json = False,
) -> None:
    """List providers of pretrained networks; with a pattern or filter, the networks that they name."""
    from icecore import api

    if pattern is None and modality is None and licence is None:
        _providers(api.providers(), json)
        return
    entries = api.networks(pattern or "*", modality=modality, licence=licence)
    if json:
        print_json({"backbones": [api.as_json(entry) for entry in entries]})
        return
    if not entries:
        say("No network that is listed here fits; any id of the hub can be used with hf: or timm:.")
        return
    shown = entries[:_SHOWN]
    rows = [
        (e.id, " ".join([e.modality, " x ".join(map(str, e.input_size))]), millions(e.parameters), e.licence)
        for e in shown
    ]
    table(("id", "input", "parameters", "licence"), rows, right=(2,))
    if len(entries) > _SHOWN:
        say(f"and {len(entries) - _SHOWN:,} more: narrow the pattern, or use --json for all")
    if any(e.parameters is None for e in shown):
        say("narrow the pattern to have parameters counted")


def _providers(found: list, json: bool) -> None:  # type: ignore[type-arg]  # the element type lives in api
    from icecore import api

    if json:
        print_json({"providers": [api.as_json(info) for info in found]})
        return
    rows = [(i.name + ":", i.networks or "", i.example, "yes" if i.installed else i.install) for i in found]
    table(("provider", "networks", "for instance", "usable"), rows, right=(1,))
    say("", *(f"{info.name}: {info.summary}" for info in found))
