"""From material to the contents of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from icecore.artifact import TargetRef, warnings
from icecore.features import Progress
from icecore.reporting import words
from icecore.reporting.choosing import chosen
from icecore.reporting.confusion import Confusion, confusion
from icecore.reporting.curve import curve
from icecore.reporting.facts import facts, lead
from icecore.reporting.feature_map import MOST as MOST_ON_MAP
from icecore.reporting.feature_map import FeatureMap, feature_map
from icecore.reporting.figures import figures
from icecore.reporting.findings import findings, headline
from icecore.reporting.looking import duplicates, lies_apart, mistakes, outliers, suspects
from icecore.reporting.material import Material, Scored
from icecore.reporting.parts import Contents, Layers, Part
from icecore.reporting.previews import Budget, Preview, Previewer, side_for
from icecore.reporting.reliability import reliability
from icecore.reporting.residuals import residuals
from icecore.reporting.scripts import data_of

PICTURES = 9 << 20  # bytes of all pictures on a page


def build(material: Material, progress: Progress) -> Contents:
    """Everything that the page says and shows."""
    manifest = material.manifest
    with progress.task("report", len(manifest.targets)) as task:
        parts = []
        for place, target in enumerate(manifest.targets):
            parts.append(_part(place, target, material))
            task.advance(1)
    rows = _on_page(material, parts)
    previews = _previews(material, parts, rows, progress)
    missing = [*material.notes, *_missing(material), *_lost(previews, material.noun)]
    total = len(material.evidence) if material.evidence is not None else 0
    sampled = (
        "" if len(rows) == total else f"{len(rows):,} of {total:,} items are on this page; the figures are of all."
    )
    title = manifest.data.name or "A model"
    return Contents(
        title, lead(manifest), manifest, tuple(parts), facts(manifest, material.evidence), warnings(manifest), missing,
        sampled, data_of(material, parts, rows, previews),
    )  # fmt: skip


def _part(place: int, target: TargetRef, material: Material) -> Part:
    prefix = "" if len(material.manifest.targets) == 1 else f"t{place}-"
    part = Part(place, prefix, target, figures(target), layers=_layers(target))
    scored = material.scored(target)
    features = material.features.get(target.name)
    if scored is not None:
        part = _with_scores(part, scored, material, features)
    elif target.task == "regression" and material.evidence is not None and target.name in material.evidence.targets:
        part = replace(part, residuals=residuals(material.evidence.targets[target.name]))
    if features is not None and scored is not None:
        placed = _placed(features)
        part = replace(part, map=placed, map_said=_map_said(placed, len(features), material.noun) if placed else "")
    big, big_said = headline(part, material.noun)
    return replace(part, big=big, big_said=big_said, findings=findings(part, material.noun))


def _with_scores(part: Part, scored: Scored, material: Material, features: np.ndarray | None) -> Part:
    matrix = confusion(scored)
    every = [mistakes(scored), suspects(scored), None if features is None else outliers(scored, features)]
    own = material.curves.get(part.target.name)
    return replace(
        part,
        confusion=matrix,
        confusion_said=_confusion_said(matrix),
        reliability=reliability(scored),
        galleries=tuple(gallery for gallery in every if gallery is not None),
        duplicates=None if features is None else duplicates(material, scored, features),
        curve=None if own is None else curve(own),
        apart="" if features is None else lies_apart(scored, features),
        table=True,
    )


def _placed(features: np.ndarray) -> FeatureMap | None:
    rows = np.flatnonzero(np.isfinite(features).all(1))
    if len(rows) > MOST_ON_MAP:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ON_MAP, replace=False))
    return feature_map(features, rows) if len(rows) > 2 else None


def _map_said(own: FeatureMap, total: int, noun: str) -> str:
    some = f" {len(own.rows):,} of {total:,} are drawn." if len(own.rows) < total else ""
    return (
        f"Each point is one of the {noun}; those whose features are alike lie near each other. Islands of one colour "
        f"are easy for the model, mixed ground is hard.{some} Made by {own.method}: nearness means something, distance "
        "across the map and the axes do not."
    )


def _confusion_said(own: Confusion) -> str:
    right = sum(cell.count for row in own.cells for cell in row if cell.right)
    if own.whole:
        return (
            f"Of {own.scored:,} items that it had not seen, the model called {right:,} what they are labelled (on the "
            f"diagonal) and {own.scored - right:,} something else."
        )
    return f"Of {own.scored:,} items that it had not seen, the most confused classes are these."


def _layers(target: TargetRef) -> Layers | None:
    scores = {str(name): float(score) for name, score in dict(target.chosen.get("by_layer", {})).items()}
    if len(scores) < 2:
        return None
    best = max(scores, key=scores.__getitem__)
    said = (
        "A network's early layers see edges and colours, its late ones the things that it was trained on. Best for "
        f"this task: {best}."
    )
    return Layers(said, tuple((name, score, round(100 * min(max(score, 0), 1), 1)) for name, score in scores.items()))


def _on_page(material: Material, parts: Sequence[Part]) -> np.ndarray:
    if material.evidence is None:
        return np.zeros(0, np.int64)
    codes = []
    for part in parts:
        scored = material.scored(part.target)
        if scored is not None:
            codes.append(scored.y * (len(scored.names) + 1) + scored.predicted)
    return chosen(len(material.evidence), _featured(parts), codes)


def _featured(parts: Sequence[Part]) -> list[int]:
    """The items that galleries and groups show, in the order of the page."""
    found = [row for part in parts for gallery in part.galleries for row in gallery.rows]
    found += [row for part in parts if part.duplicates for group in part.duplicates.found for row in group.rows]
    found += [row for part in parts if part.residuals for row in part.residuals.rows]
    return list(dict.fromkeys(found))


def _previews(material: Material, parts: Sequence[Part], rows: np.ndarray, progress: Progress) -> list[Preview]:
    """A preview of each item on the page, those in galleries large and first in the budget."""
    items = material.items or [None] * len(rows)
    large = set(_featured(parts))
    order = sorted(range(len(rows)), key=lambda at: int(rows[at]) not in large)
    previewer = Previewer(material.manifest.modality, side_for(len(rows)), Budget(PICTURES))
    with progress.task("pictures", len(rows)) as task:
        made = previewer.all([(items[rows[at]], int(rows[at]) in large) for at in order], task.advance)
    found: list[Any] = [None] * len(rows)
    for at, preview in zip(order, made, strict=True):
        found[at] = preview
    return found


def _missing(material: Material) -> list[str]:
    """What cannot be shown, and what would bring it."""
    if material.evidence is None:
        return [
            "What the model said of each item was not kept with it, so there is no confusion matrix, no map and no "
            "list of mistakes. Fit it again with this version to have them."
        ]
    if not material.features:
        return ["There is no map, because the features are not in the store and the items could not be read again."]
    return []


def _lost(previews: Sequence[Preview], noun: str) -> list[str]:
    lost = [preview.lost for preview in previews if preview.lost]
    if not lost:
        return []
    said = f"{words.count(len(lost), 'item')} of the {noun} could not be shown: {lost[0]}."
    return [f"{said} --data names the place where they lie now."]
