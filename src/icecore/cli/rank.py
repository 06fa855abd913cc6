"""`icecore rank`: which pretrained network suits the data, and which layer of it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import aside, millions, print_json, say, set_aside, shown, table

_LEVELS = "▁▂▃▄▅▆▇█"


def rank(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: class folders or a table.")],
    backbone: Annotated[
        list[str],
        typer.Option(
            "--backbone", "-b", help="Pretrained network: provider:name[@revision], a local folder or file. Repeat it."
        ),
    ],
    layer: options.Layers = None,
    pooling: Annotated[
        list[str] | None,
        typer.Option(
            "--pooling", help="mean (the default), max, gem, cls, last-token, flatten, none. May be repeated."
        ),
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Probe, such as logistic. May be repeated; by default the quick ones: centroid, ridge, knn."),
    ] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Let every class count the same, however rare.")] = False,
    budget: Annotated[
        str,
        typer.Option(
            help="Time (90s, 5m, 2h), share of what everything would take (10%), or all. Beyond it: successive halving."
        ),
    ] = "2m",
    folds: Annotated[int, typer.Option(min=2, help="Folds of the probes.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the order of the items and of the folds.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw scores by depth into a .png, .svg or .pdf.")
    ] = None,
    json: options.Json = False,
    target: options.Target = None,
    task: options.Tasks = None,
    order: options.Orders = None,
    input_col: options.InputCol = None,
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
    """Rank pretrained networks, and layers of each, by quick probes on their features. Ties are shown as ties."""
    from icecore import api

    if plot is not None:
        api.require_plot(plot)
    ranking = api.rank(
        data, backbone, layers=layer or "all", pooling=pooling or "mean", heads=head,
        class_weight="balanced" if balanced else None, budget=budget, n_folds=folds, seed=seed, target=target,
        task=task, order=order, input_col=input_col, device=device, precision=precision, engine=engine, store=store,
        batch_size=batch_size, workers=workers, strict=strict, require_licence=require_licence,
        trust_remote_code=trust_remote_code, progress=not json,
    )  # fmt: skip
    if plot is not None:
        api.plot_ranking(ranking, plot)
    if json:
        print_json(ranking.to_json())
        return
    _show(ranking)
    if plot is not None:
        say(f"Drew {plot}")
    named = [part for one in target or () for part in ("--target", one)]
    say("", "Try: " + shlex.join(["icecore", "fit", data, "--backbone", ranking.best.backbone, *named]))


def _show(ranking: Any) -> None:
    for note in ranking.notes:
        aside(f"Note: {note}")
    set_aside(ranking.bad_json())
    for one in ranking.left_out:
        aside(f"Left out: {one.backbone}: {one.reason}")
    say(f"{ranking.items:,} items, {ranking.target}: {ranking.described}", "")
    ranks = [one.rank for one in ranking.backbones]
    rows = [
        (f"{one.rank}{'=' if ranks.count(one.rank) > 1 else ' '}", one.backbone, one.score,
         "" if one is ranking.best else one.behind, f"{one.items:,}", _milliseconds(one.seconds_per_item),
         millions(one.parameters), one.licence)
        for one in ranking.backbones
    ]  # fmt: skip
    costs = ("on items", "ms an item", "parameters", "licence")
    table(("rank", "backbone", ranking.score_name, "minus the best's", *costs), rows, right=(0, 4, 5, 6))
    say("")
    scores = [
        (one.backbone, *map(_or_nothing, (one.knn, one.centroid, one.logme, one.h_score, one.leep)))
        for one in ranking.backbones
    ]
    table(("backbone", "k-NN", "centroid", "LogME", "H-score", "LEEP"), scores)
    _curves(ranking)
    say("", ranking.done, f"95 % intervals; {ranking.evaluation}; = marks ranks that several share.")


def _curves(ranking: Any) -> None:
    """Scores by depth and the best probe, a line for each network."""
    rows = []
    for one in ranking.backbones:
        curve = _spark([estimate.value for estimate in one.by_depth.values()])
        rows.append((one.backbone, curve, f"{one.head} on {one.layer}"))
    say("", f"{ranking.score_name} by depth, from the first layer to the last, on a scale from 0 to 1:")
    table(("backbone", "by depth", "best probe"), rows)


def _spark(values: list[float]) -> str:
    """A sign for each value between 0 and 1; where the terminal has no blocks, tenths."""
    if shown(_LEVELS, sys.stdout) == _LEVELS:
        return "".join(_LEVELS[max(0, min(7, int(value * 8)))] for value in values)
    return " ".join(f"{max(0, min(9, int(value * 10)))}" for value in values)


def _or_nothing(estimate: Any) -> str:
    return "-" if estimate is None else str(estimate)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f}"
