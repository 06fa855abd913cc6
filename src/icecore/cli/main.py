"""The `icecore` command: the app, and what becomes of errors."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from icecore.cli import (
    backbones,
    compare,
    demo,
    ensemble,
    evaluate,
    extract,
    fine_tune,
    fit,
    inspect,
    predict,
    rank,
    report,
    store,
)
from icecore.cli.notes import note_once
from icecore.cli.output import aside
from icecore.errors import IcecoreError, UsageError

INTERRUPTED = 130

app = typer.Typer(
    name="icecore",
    help="Transfer learning by feature extraction. Frozen networks are computed once and reused by everything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(fit.fit)
app.command(name="fine-tune")(fine_tune.fine_tune)
app.command()(predict.predict)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(ensemble.ensemble)
app.command()(report.report)
app.command()(extract.extract)
app.command()(rank.rank)
app.command()(inspect.inspect)
app.command()(backbones.backbones)
app.add_typer(store.app, name="store")


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"icecore {version('icecore')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. May stand anywhere.")] = False,
) -> None:
    del version, debug


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with 0; 1 for an error of the user's or the data's; 2 for usage; 130
    for Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.showwarning = note_once()
            app([word for word in given if word != "--debug"])
    except (KeyboardInterrupt, SystemExit) as leaving:  # typer turns Ctrl-C in a command into its exit status
        if isinstance(leaving, SystemExit) and leaving.code != INTERRUPTED:
            raise
        aside("Interrupted. What was computed is kept; run the same command to go on.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        aside(_told(error))
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _told(error: Exception) -> str:
    """One paragraph about an error."""
    if isinstance(error, IcecoreError):
        return f"Error: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"Error: {error.strerror}{f': {error.filename}' if error.filename else ''}."
    said = " ".join(str(error).split())
    return f"Error inside icecore: {type(error).__name__}: {said}. Run with --debug for the traceback, and report it."
