"""`icecore compare`: which of two models is better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import aside, print_json, say
from icecore.cli.tables import figures


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A model made by `icecore fit`.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Labelled data. Without it, the items that both were fitted on, unseen."),
    ] = None,
    json: options.Json = False,
    target: options.Target = None,
    input_col: options.InputCol = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = None,
    store: options.StoreDir = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Compare two models on the same items, pair by pair, with an interval of the difference."""
    from icecore import api

    how = {"device": device, "engine": engine, "trust_remote_code": trust_remote_code}
    loaded = [api.TransferModel.load(model, **how) for model in (first, second)]  # type: ignore[arg-type]  # each its own
    result = api.compare(
        loaded[0], loaded[1], data, target=target, input_col=input_col, store=store, batch_size=batch_size,
        workers=workers, names=(str(first), str(second)), progress=not json,
    )  # fmt: skip
    if json:
        print_json(result.to_json())
        return
    for note in result.notes:
        aside(f"Note: {note}")
    for own in result.targets:
        figures({result.models[0]: own.first, result.models[1]: own.second})
        say(own.said, "")
    say(f"95 % intervals; {result.where}")
