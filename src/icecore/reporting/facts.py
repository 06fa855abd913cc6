"""How a model was made, term by term, from its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator

from icecore.artifact import Evidence, Manifest
from icecore.data import modality_named
from icecore.reporting import words


def facts(manifest: Manifest, evidence: Evidence | None) -> list[tuple[str, str]]:
    """What the data were, which network and head, under which licence, at what cost."""
    return [*_data(manifest, evidence), *_network(manifest), *_heads(manifest), *_cost(evidence), *_rest(manifest)]


def lead(manifest: Manifest) -> str:
    """One sentence that says what the model is."""
    noun = modality_named(manifest.modality).noun
    does = words.listed([_does(target.task, len(target.classes), target.name) for target in manifest.targets], 3)
    features = "fine-tuned" if manifest.changes else "frozen"
    if manifest.members:
        names = words.listed([network.id for network in manifest.networks], 4)
        return f"{len(manifest.members)} small models that together {does} of {noun}, on the networks {names}."
    return (
        f"A small model that {does} of {noun}, on {features} features of the pretrained network {manifest.network.id}."
    )


def _does(task: str, classes: int, name: str) -> str:
    told = {
        "classification": f"tells {classes} classes",
        "ordinal": f"ranks {classes} levels",
        "multilabel": f"finds which of {classes} labels apply",
        "regression": f"estimates the {name}",
    }
    return told.get(task, f"predicts the {name}")


def _data(manifest: Manifest, evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    data = manifest.data
    bad = f"; {data.bad_items:,} set aside because they cannot be used" if data.bad_items else ""
    yield "Data", f"{data.name}, {words.count(data.items, 'item')}{bad}"
    if evidence is not None and evidence.splits is not None:
        names = evidence.splits.tolist()
        yield "Given splits", words.listed([f"{name} {names.count(name):,}" for name in dict.fromkeys(names)])
    for target in manifest.targets:
        if target.classes:
            yield f"Classes of {target.name}", words.listed([str(name) for name in target.classes], 20)
    yield "Fingerprint of the data", data.fingerprint[:16]


def _network(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for backbone in manifest.networks:
        yield "Network", backbone.id
        where = f" ({backbone.licence_source})" if backbone.licence_source else ""
        yield "Licence of its weights", f"{backbone.licence}{where}"
        if backbone.source:
            yield "Where they came from", backbone.source
        yield "Precision", backbone.precision
        simple = {name: value for name, value in backbone.preprocessing.items() if not isinstance(value, dict)}
        yield "Preprocessing", json.dumps(simple, ensure_ascii=False)[:400]
    for change in manifest.changes:
        yield (
            "Fine-tuned",
            f"{words.listed(list(change.unfrozen), 4)} and what follows, in {words.count(len(change.log), 'epoch')}",
        )


def _heads(manifest: Manifest) -> Iterator[tuple[str, str]]:
    several = len(manifest.targets) > 1
    for target in manifest.targets:
        layers = words.listed(manifest.layers_of(target), 4)
        yield f"Head of {target.name}" if several else "Head", f"{target.chosen.get('head', '')} on {layers}"
        if target.chosen.get("because"):
            yield "Chosen because", str(target.chosen["because"])
        if target.evaluation:
            yield "Scored on", target.evaluation
        if target.stores_training_rows:
            yield "Mind", "the head stores features of training rows; whoever has the model has those"


def _cost(evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    """Seconds spent on features, and those that the store saved, at the pace of the computed ones."""
    if evidence is None or not evidence.spent:
        return
    computed, reused, spent = (evidence.spent.get(name, 0) for name in ("computed", "reused", "seconds"))
    said = f"{words.count(int(computed), 'item')} computed in {words.seconds(spent)}"
    if not computed:
        yield (
            "Features",
            f"none computed: all {words.count(int(reused), 'item')} came from the store, in {words.seconds(spent)}",
        )
        return
    saved = words.seconds(reused * spent / computed)
    yield "Features", f"{said}, {int(reused):,} taken from the store, which saved some {saved}" if reused else said
    yield (
        "Saved since",
        (
            f"each further fit, each other head, and this page itself read them from the store: some "
            f"{words.seconds((computed + reused) * spent / computed)} saved every time"
        ),
    )


def _rest(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "Made on", manifest.created.replace("T", " ")
    yield "Versions", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
