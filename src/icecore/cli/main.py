"""The `icecore` command: the app, and what becomes of errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from icecore.cli import backbones, demo, evaluate, extract, fit, inspect, predict, store
from icecore.errors import IcecoreError, UsageError

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
app.command()(predict.predict)
app.command()(evaluate.evaluate)
app.command()(extract.extract)
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
    """Run the command line. Exit status: 0; 1 for an error of the user's or the data's; 2 for usage; 130 for Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        app([word for word in given if word != "--debug"])
    except KeyboardInterrupt:
        _say("Interrupted. What was computed is kept; run the same command to go on.")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; there is nobody to tell
        sys.exit(1)
    except IcecoreError as error:
        if debug:
            raise
        _say(f"Error: {error}")
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except Exception as error:
        if debug:
            raise
        _say(
            f"Error inside icecore: {type(error).__name__}: {error}. Run with --debug for the traceback, and report it."
        )
        sys.exit(1)


def _say(text: str) -> None:
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
