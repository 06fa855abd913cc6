"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Backbone = Annotated[
    str, typer.Option("--backbone", "-b", help="Pretrained network: provider:name[@revision], a local folder or file.")
]
BackboneOrBundled = Annotated[
    list[str] | None,
    typer.Option(
        "--backbone",
        "-b",
        help="Pretrained network: provider:name[@revision], a local folder or file. By default a bundled one.",
    ),
]
OtherBackbone = Annotated[
    str | None, typer.Option("--backbone", "-b", help="The same network elsewhere, if the model's own cannot be found.")
]
Preprocess = Annotated[
    Path | None,
    typer.Option("--preprocess", metavar="FILE", help="preprocess.json for a network that carries none."),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        "-l",
        help="Layer: a module path, last, logits, a block number (-1), all, or a pattern. May be repeated.",
    ),
]
Pooling = Annotated[str, typer.Option(help="mean, max, gem, grid, cls, last-token, flatten, none.")]
Poolings = Annotated[
    list[str] | None,
    typer.Option(
        "--pooling",
        help="mean (the default), max, gem, grid, cls, last-token, flatten, none. May be repeated: one is chosen.",
    ),
]
InputCol = Annotated[
    str | None, typer.Option("--input-col", help="Column of a table that holds the inputs; of pairs both, IMAGE,TEXT.")
]
Target = Annotated[
    list[str] | None, typer.Option("--target", "-t", help="Column of a table that holds the labels. May be repeated.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="[TARGET=]TASK",
        help="classification, multilabel, ordinal, regression. May be repeated. By default it is guessed and said.",
    ),
]
Orders = Annotated[
    list[str] | None,
    typer.Option("--order", metavar="[TARGET=]LOW,...,HIGH", help="Ordinal classes, the lowest first."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]
Precision = Annotated[
    str,
    typer.Option(help="float32, or bfloat16: faster where the hardware has units for it, features a little coarser."),
]
Engine = Annotated[
    str,
    typer.Option(
        help="What runs the network: auto, eager, openvino, onnxruntime, compile. auto measures those installed."
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Items in one forward pass; of texts, 64 tokens for each.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Threads that read and decode. By default as many as the network needs.")
]
StoreDir = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="DIR", help="Where features are kept. By default $ICECORE_STORE or the user's cache."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Make an unreadable item an error instead of setting it aside.")]
RequireLicence = Annotated[
    str | None,
    typer.Option("--require-licence", help="Refuse weights under another licence: permissive, or names with commas."),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let Transformers run code that comes with the weights.")
]
