"""`icecore store`: look after the stored features."""

from __future__ import annotations

from typing import Annotated

import typer

from icecore.cli import options
from icecore.cli.output import bytes_of, print_json, say, size, table

app = typer.Typer(help="Look after the stored features.", no_args_is_help=True, rich_markup_mode=None)


@app.command("ls")
def list_tables(store: options.StoreDir = None, json: options.Json = False) -> None:
    """List what is stored: network, layers, rows, size, last use."""
    from icecore import api

    opened = api.open_store(store)
    tables = opened.tables()
    if json:
        print_json({"store": str(opened.root), "tables": [api.as_json(info) for info in tables]})
        return
    say(f"{opened.root}: {size(sum(info.bytes for info in tables))} in {len(tables)} tables")
    if tables:
        header = ("network", "columns", "rows", "parts", "size", "last used")
        table(header, [api.table_line(info, size) for info in tables], right=(1, 2, 3, 4))


@app.command()
def verify(store: options.StoreDir = None, json: options.Json = False) -> None:
    """Read every part again and set aside what is damaged; its rows are computed again when next asked for."""
    from icecore import api

    damages = api.open_store(store).verify()
    if json:
        print_json({"damaged": [api.as_json(damage) for damage in damages]})
        return
    say(*(f"{d.table}/{d.part}: {d.reason}" for d in damages))
    say(
        f"{len(damages)} damaged part{'s' * (len(damages) > 1)} set aside"
        if damages
        else "Every part is as it was written"
    )


@app.command()
def prune(
    max_size: Annotated[str, typer.Option("--max-size", help="Keep at most this much: 500M, 20G.")],
    store: options.StoreDir = None,
    json: options.Json = False,
) -> None:
    """Remove what was used longest ago, until the rest fits a size."""
    from icecore import api

    report = api.open_store(store).prune(bytes_of(max_size))
    if json:
        print_json(api.as_json(report))
        return
    say(f"Removed {report.removed} parts: {size(report.bytes_before)} to {size(report.bytes_after)}")


@app.command()
def compact(store: options.StoreDir = None, json: options.Json = False) -> None:
    """Merge small parts and drop rows that are there twice."""
    from icecore import api

    report = api.open_store(store).compact()
    if json:
        print_json(api.as_json(report))
        return
    say(
        f"Merged {report.merged} parts into {report.written}: {size(report.bytes_before)} to {size(report.bytes_after)}"
    )
