"""`icecore ensemble`: several finished models as one, where that pays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import aside, millions, print_json, say, table
from icecore.cli.tables import figures


def ensemble(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Two or more models made by `icecore fit`.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the ensemble; it holds its members whole.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Save it even where it is no better than one model.")] = False,
    include_backbone: Annotated[
        bool, typer.Option("--include-backbone", help="Put the networks into its folder, to be whole anywhere.")
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence/--no-evidence", help="Keep names, labels and unseen predictions of the items.")
    ] = True,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time a few items where a fit has not said what one costs.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of the folds.")] = 0,
    json: options.Json = False,
) -> None:
    """Average models of different networks by what they said of their common items unseen; keep that where it pays."""
    from icecore import api

    report = api.ensemble(
        models, out=out, keep=keep, include_backbone=include_backbone, evidence=evidence, measure=measure, seed=seed,
        progress=not json,
    )  # fmt: skip
    if json:
        print_json(report.to_json())
        return
    for note in report.notes:
        aside(f"Note: {note}")
    for target in report.targets:
        _show(target, report.members)
    say("", _verdict(report, out))


def _show(target: Any, members: Any) -> None:
    """Shares and cost of each model, the figures, and the gain."""
    say(f"{target.name}: {target.items:,} items that all {len(members)} models had predicted unseen", "")
    first = next(iter(target.metrics))
    rows = [
        (f"{share:.2f}", member.name, member.backbone, str(own[first] or "-"), *_cost([member]))
        for share, member, own in zip(target.shares, members, target.each, strict=True)
    ]
    used = [member for share, member in zip(target.shares, members, strict=True) if share]
    rows.append(("1.00", "the ensemble", f"{len(used)} of them", str(target.metrics[first] or "-"), *_cost(used)))
    header = ("share", "model", "backbone", first.replace("_", " "), "ms an item", "parameters")
    table(header, rows, right=(0, 4, 5))
    say("")
    figures({"ensemble": target.metrics, "best single model": target.single_metrics})
    say("95 % intervals; five folds, shares and best single model chosen on the other four")
    say(target.said)


def _cost(members: Any) -> tuple[str, str]:
    """Milliseconds and parameters, as far as they are known of all."""
    spent = [member.milliseconds for member in members]
    sizes = [member.parameters for member in members]
    return (
        "-" if None in spent else f"{sum(spent):.1f}",
        "-" if None in sizes else millions(sum(sizes)),
    )


def _verdict(report: Any, out: Path | None) -> str:
    if not any(target.several for target in report.targets):
        return "No mean of these models is better than one of them alone, so there is nothing to save."
    if not report.adopted:
        return "The ensemble is not better than the best single model beyond the interval: not saved (--keep saves it)."
    better = "better" if report.pays else "not better"
    if out is None:
        return f"The ensemble is {better} beyond the interval. Not saved; name a folder with --out to keep it."
    reason = "it is better beyond the interval" if report.pays else "as was asked for"
    return f"Saved {out}: {reason}. Try: icecore inspect {out}"
