"""`icecore extract`: features of a data set into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import aside, print_json, say, set_aside, table


def extract(
    data: Annotated[list[str], typer.Argument(metavar="DATA", help="A folder, a table, or files.")],
    backbone: options.Backbone,
    out: Annotated[Path, typer.Option(help=".parquet, .arrow, .npy, .npz or .safetensors.")],
    layer: options.Layers = None,
    pooling: options.Pooling = "mean",
    json: options.Json = False,
    target: options.Target = None,
    input_col: options.InputCol = None,
    preprocess: options.Preprocess = None,
    device: options.Device = "auto",
    precision: options.Precision = "float32",
    engine: options.Engine = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = None,
    store: options.StoreDir = None,
    strict: options.Strict = False,
    require_licence: options.RequireLicence = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Extract features of any layers into a file. What is in the store already is not computed again."""
    from icecore import api

    result = api.extract(
        api.inputs_of(data), backbone=backbone, out=out, layers=layer or ["last"], pooling=pooling, target=target,
        input_col=input_col, preprocess=preprocess, device=device, precision=precision,
        engine=engine, batch_size=batch_size, workers=workers,
        store=store, strict=strict, require_licence=require_licence, trust_remote_code=trust_remote_code,
        progress=not json,
    )  # fmt: skip
    found = result.to_json()
    if json:
        print_json(found)
        return
    for note in result.notes:
        aside(f"Note: {note}")
    set_aside(result.bad_json())
    spent = found["extraction"]
    say(f"{found['items']:,} items")
    say(f"features: {spent['computed']:,} computed, {spent['reused']:,} reused, {spent['seconds']:.1f} s")
    table(("layer", "shape"), [(name, " x ".join(map(str, shape))) for name, shape in found["layers"].items()])
    say(f"Wrote {out}")
