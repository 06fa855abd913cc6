"""`icecore inspect`: look at a backbone, a saved model or data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import millions, print_json, say, table
from icecore.cli.tables import figures

_TASKS = {
    "classification": "classes: ",
    "multilabel": "labels, several a row: ",
    "ordinal": "classes, the lowest first: ",
    "regression": "predicts a number",
}


def inspect(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A backbone id, a saved model, or data.")],
    json: options.Json = False,
    preprocess: options.Preprocess = None,
    target: options.Target = None,
    input_col: options.InputCol = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Look at a backbone (layers, preprocessing, licence), a saved model, or data (classes, bad rows)."""
    from icecore import api

    found = api.inspect(
        what, preprocess=preprocess, target=target, input_col=input_col, trust_remote_code=trust_remote_code,
        progress=not json,
    )  # fmt: skip
    if json:
        print_json(api.as_json(found))
    elif isinstance(found, api.BackboneInfo):
        _backbone(found)
    elif isinstance(found, api.ModelInfo):
        _model(found)
    else:
        _data(found)


def _backbone(info: Any) -> None:
    size = f", {millions(info.parameters)} parameters" if info.parameters else ""
    say(f"{info.id}: {info.modality} network from {info.source}{size}")
    origin = f" ({info.licence.source})" if info.licence.source else ""
    say(f"licence: {info.licence.name}{origin}")
    say("preprocessing:", *(f"  {name}: {value}" for name, value in info.preprocessing.items()))
    say(*(f"note: {note}" for note in info.notes))
    say(f"{len(info.blocks)} blocks, {len(info.layers)} layers that can be taken:", "")
    rows = [
        (
            layer.name,
            " x ".join("any" if size < 0 else str(size) for size in layer.shape),
            " x ".join(layer.axes),
            "" if layer.block is None else layer.block,
        )
        for layer in info.layers
    ]
    table(("layer", "shape", "axes", "block"), rows, right=(3,))


def _model(info: Any) -> None:
    manifest = info.manifest
    say(f"{info.path}: {manifest.modality} model made by icecore {manifest.icecore} on {manifest.created[:10]}")
    for backbone in manifest.networks:
        included = ", included" if backbone.included else ""
        say(f"backbone: {backbone.id} (licence {backbone.licence}{included})")
    for member in manifest.members:
        shares = ", ".join(f"{share:.2f} of {target}" for target, share in member.weights.items())
        say(f"member: {member.folder}, {shares}, made as {member.name}")
    for change in manifest.changes:
        say(f"fine-tuned: {', '.join(change.unfrozen)} and what follows, {len(change.log)} epochs")
    say(f"trained on: {manifest.data.name}, {manifest.data.items:,} items, {manifest.data.bad_items} set aside")
    say(*(f"note: {warning}" for warning in info.warnings))
    for target in manifest.targets:
        say("", f"{target.name}: {target.chosen['head']} on {', '.join(_read_by(target, manifest))}")
        names = ", ".join(map(str, target.classes))
        say(f"{_TASKS[target.task]}{names}", f"{target.evaluation}", "")
        figures({"this model": target.metrics, **target.baselines})
        if target.interval is not None:
            say(f"95 % of new values lie within {target.interval:.4g} of what it says")


def _read_by(target: Any, manifest: Any) -> list[str]:
    """Layers with their pooling; of an ensemble the networks."""
    if manifest.members:
        return list(manifest.layers_of(target))
    columns = [manifest.network.columns[i] for i in target.columns]
    return [f"{column.layer} ({column.pooling})" for column in columns]


def _data(info: Any) -> None:
    say(f"{info.source}: {info.items:,} good items, {len(info.bad)} bad")
    say(*(f"note: {note}" for note in info.notes))
    for name, classes in info.classes.items():
        say("", f"{name}: {len(classes)} class{'es' * (len(classes) != 1)}")
        table(("class", "items"), classes.items(), right=(1,))
    for name, own in info.numbers.items():
        say("", f"{name}: numbers from {own.least:.4g} to {own.most:.4g}, mean {own.mean:.4g}, spread {own.spread:.4g}")
    if info.splits:
        say("", "splits: " + ", ".join(f"{name} {count:,}" for name, count in info.splits.items()))
    if info.duplicates:
        say("", f"{info.duplicates} items equal an earlier one, byte for byte")
    if info.conflicts:
        say(f"{len(info.conflicts)} of them have another label there:", *(f"  {name}" for name in info.conflicts))
    if info.bad:
        say("", "bad items:")
        table(("row", "input", "reason"), [(item.row, item.input, item.reason) for item in info.bad], right=(0,))
