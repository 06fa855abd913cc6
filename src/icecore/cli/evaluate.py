"""`icecore evaluate`: how good a saved model is on labelled data that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import aside, print_json, say, set_aside
from icecore.cli.tables import figures


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model made by `icecore fit`.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: class folders or a table.")],
    json: options.Json = False,
    backbone: options.OtherBackbone = None,
    target: options.Target = None,
    input_col: options.InputCol = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = None,
    store: options.StoreDir = None,
    strict: options.Strict = False,
    require_licence: options.RequireLicence = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Evaluate a model on labelled data that it has not seen. Where the data has a test split, that is used."""
    from icecore import api

    loaded = api.TransferModel.load(
        model,
        backbone=backbone,
        device=device,
        engine=engine,
        require_licence=require_licence,
        trust_remote_code=trust_remote_code,
    )
    result = loaded.evaluate(
        data, target=target, input_col=input_col, store=store, batch_size=batch_size, workers=workers, strict=strict,
        progress=not json,
    )  # fmt: skip
    if json:
        print_json(result.to_json())
        return
    for note in (*loaded.warnings, *result.notes):
        aside(f"Note: {note}")
    set_aside(result.bad_json())
    for name, metrics in result.metrics.items():
        say(f"{name}: {result.items:,} items" if len(result.metrics) > 1 else f"{result.items:,} items")
        figures({"this model": metrics})
