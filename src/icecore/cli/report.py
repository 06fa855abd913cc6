"""`icecore report`: one page about a model, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import aside, print_json, say, size


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model made by `icecore fit`.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Where the items lie now, if they have moved since the fit.")
    ] = None,
    learning_curve: Annotated[
        bool | None,
        typer.Option(
            "--learning-curve/--no-learning-curve",
            help="Fit the head on parts of the rows, to see whether more labels would help. By default where that "
            "takes less than a minute.",
        ),
    ] = None,
    json: options.Json = False,
    backbone: options.OtherBackbone = None,
    input_col: options.InputCol = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    store: options.StoreDir = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Write one self-contained page: figures, mistakes, a map of the items, suspect labels, and how it was made."""
    from icecore import api

    loaded = api.TransferModel.load(
        model, backbone=backbone, device=device, engine=engine, trust_remote_code=trust_remote_code
    )
    done = api.report(
        loaded, out=out, data=data, input_col=input_col, learning_curve=learning_curve, store=store, progress=not json
    )  # fmt: skip
    if json:
        print_json(done.to_json())
        return
    for line in done.missing:
        aside(f"Note: {line}")
    say(f"Wrote {done.out}: {len(done.sections)} sections, {size(done.size)}, {done.seconds:.1f} s.")
