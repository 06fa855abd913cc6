"""`icecore predict`: labels and probabilities of new inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import aside, print_json, say, set_aside, table


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model made by `icecore fit`.")],
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders or one table.")],
    out: Annotated[
        Path | None, typer.Option(help="Write predictions to .csv, .tsv, .parquet or .jsonl instead of a table.")
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Also say which classes cannot be ruled out, so that in such a share, 0.95, the true one is there."
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.html",
            help="Say why: write what in each input the label rests on, and the most similar training items.",
        ),
    ] = None,
    explain_target: Annotated[
        str | None, typer.Option("--explain-target", help="Which target to explain, of a model with several.")
    ] = None,
    json: options.Json = False,
    backbone: options.OtherBackbone = None,
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
    """Predict labels and probabilities, or numbers, of new inputs."""
    from icecore import api

    if out is not None:
        api.require_format(out)
    loaded = api.TransferModel.load(
        model,
        backbone=backbone,
        device=device,
        engine=engine,
        require_licence=require_licence,
        trust_remote_code=trust_remote_code,
    )
    result = loaded.predict_targets(
        api.inputs_of(inputs), input_col=input_col, store=store, batch_size=batch_size, workers=workers,
        strict=strict, coverage=coverage, progress=not json,
    )  # fmt: skip
    if out is not None:
        api.write_predictions(result, out)
    printed, why = api.predictions_json(result), None
    if explain is not None:
        why = api.explain(
            loaded, api.inputs_of(inputs), target=explain_target, input_col=input_col, store=store,
            batch_size=batch_size, workers=workers, strict=strict, progress=not json,
        )  # fmt: skip
        printed = api.explanations_json(why, printed, why.write(explain))
    if json:
        print_json(printed)
        return
    for note in dict.fromkeys((*loaded.warnings, *api.predictions_notes(result), *(why.notes if why else ()))):
        aside(f"Note: {note}")
    set_aside(api.predictions_bad_json(result))
    if out is None:
        _show(result)
    else:
        say(f"Wrote predictions to {out}")
    if explain is not None:
        say("", f"Wrote why to {explain}")


def _show(result: Mapping[str, Any]) -> None:
    """A table of each target's predictions."""
    for name, predictions in result.items():
        if len(result) > 1:
            say("", f"{name}:")
        table(
            ("input", *predictions.header, *predictions.beside.header),
            [(p.input, *p.shown(), *predictions.beside.shown(i)) for i, p in enumerate(predictions)],
            right=(2,) if len(predictions.header) > 1 else (),
        )
