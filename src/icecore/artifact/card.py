"""The model card of an artifact, in Markdown, from its manifest."""

from __future__ import annotations

from icecore.artifact.schema import CHANGES, MEMBERS, BackboneRef, ChangeRef, Figures, Manifest, TargetRef
from icecore.backbones.licence import non_commercial
from icecore.evaluation import in_digits

_LOWER_IS_BETTER = {"log_loss", "calibration_error", "mae", "rmse"}
_CLASSES = {"multilabel": "Labels, several a row", "ordinal": "Classes, the lowest first"}


_EVIDENCE = """## What else is in this folder

`evidence.arrow` names the items that the model learned from (file names and paths; of texts the first 500 signs), with
their labels and what the model said of them unseen. Delete it before you hand the model on, if nobody is to know those:
the model predicts without it.
"""


def card(manifest: Manifest, *, with_evidence: bool = False) -> str:
    """What the model is, how good it is, what it is made of and what to mind."""
    licences = list(dict.fromkeys(network.licence for network in manifest.networks))
    parts = [
        f"---\nlibrary_name: icecore\nlicense: {licences[0] if len(licences) == 1 else 'other'}\n---\n",
        f"# {manifest.modality.capitalize()} {_kind(manifest)}\n",
        f"{_what(manifest)}, made by icecore {manifest.icecore} on "
        f"{manifest.created[:10]} from {manifest.data.items:,} labelled items ({manifest.data.name}; "
        f"{manifest.data.bad_items} set aside).\n",
        *(_target(target, manifest) for target in manifest.targets),
        *(_change(change) for change in manifest.changes),
        "## Use\n",
        "```\nicecore predict THIS_FOLDER photos/*.jpg\n```\n",
        "## Weights\n",
        *(_weights(network) for network in manifest.networks),
        *(f"- {line}\n" for line in warnings(manifest)),
        *([_EVIDENCE] if with_evidence else []),
    ]
    return "\n".join(parts)


def _kind(manifest: Manifest) -> str:
    return "classifier" if all(target.task == "classification" for target in manifest.targets) else "model"


def _what(manifest: Manifest) -> str:
    if manifest.members:
        names = ", ".join(f"`{network.id}`" for network in manifest.networks)
        return f"The weighted mean of {len(manifest.members)} small models, each whole in `{MEMBERS}/`, on {names}"
    features = "fine-tuned features" if manifest.changes else "frozen features"
    return f"A small model on {features} of `{manifest.network.id}`"


def _weights(network: BackboneRef) -> str:
    source = f" ({network.licence_source})" if network.licence_source else ""
    included = "Included in this folder." if network.included else "Not included."
    return f"Backbone licence: {network.licence}{source}. Source: {network.source}. {included}\n"


def _change(change: ChangeRef) -> str:
    trained = ", ".join(f"`{name}`" for name in change.unfrozen)
    return f"Fine-tuned: {trained} and what follows, {len(change.log)} epochs, in `{CHANGES}/{change.file}`.\n"


def warnings(manifest: Manifest) -> list[str]:
    """What must be said aloud of a model: its licence, the training rows that it carries."""
    lines = []
    for licence in dict.fromkeys(network.licence for network in manifest.networks):
        if non_commercial(licence):
            lines.append(f"The licence of the backbone, {licence}, does not allow commercial use.")
        if licence == "unknown":
            lines.append("The source of the backbone's weights states no licence.")
    if any(target.stores_training_rows for target in manifest.targets):
        lines.append("The head stores features of training rows; whoever has the model has those.")
    return lines


def _target(target: TargetRef, manifest: Manifest) -> str:
    layers = ", ".join(f"`{layer}`" for layer in manifest.layers_of(target))
    names = ", ".join(str(name) for name in target.classes)
    what = (
        f"{_CLASSES.get(target.task, 'Classes')} ({len(target.classes)}): {names}."
        if names
        else "It predicts a number."
    )
    head = f"Head: {target.chosen['head']} on {layers}. {what}{_between(target)}\n"
    columns = {"this model": target.metrics, **target.baselines}
    header = f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}\n"
    rows = "".join(
        f"| {_label(name)} | {' | '.join(_cell(c, name) for c in columns.values())} |\n" for name in target.metrics
    )
    return f"## Target: {target.name}\n\n{head}\n{header}{rows}\n95 % intervals; {target.evaluation}.\n"


def _between(target: TargetRef) -> str:
    return "" if target.interval is None else f" 95 % of new ones lie within {target.interval:.4g} of what it says."


def _label(name: str) -> str:
    return name.replace("_", " ") + (" (lower is better)" if name in _LOWER_IS_BETTER else "")


def _cell(figures: Figures, name: str) -> str:
    figure = figures.get(name)
    if figure is None:
        return "–"
    value, low, high = (in_digits(each) for each in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"
