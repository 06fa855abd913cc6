"""What the scripts of a page read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icecore.reporting.material import Material
from icecore.reporting.parts import Group, Part
from icecore.reporting.previews import Preview

_CHANCES = 4


def data_of(material: Material, parts: Sequence[Part], rows: np.ndarray, previews: Sequence[Preview]) -> dict[str, Any]:
    """The items on the page and, for each target, labels, predictions, places and galleries; items by their number."""
    number = {int(row): at for at, row in enumerate(rows)}
    names = material.evidence.inputs if material.evidence is not None else []
    return {
        "modality": material.manifest.modality.split("+")[0],
        "items": [_item(names[row], preview) for row, preview in zip(rows.tolist(), previews, strict=True)],
        "targets": [_target(material, part, rows, number) for part in parts],
    }


def _item(name: str, preview: Preview) -> dict[str, str]:
    said = {"picture": preview.picture, "text": preview.text, "sound": preview.sound, "lost": preview.lost}
    return {"name": name, **{key: value for key, value in said.items() if value}}


def _target(material: Material, part: Part, rows: np.ndarray, number: Mapping[int, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "classes": [str(name) for name in part.target.classes],
        "galleries": {own.id: _listed(own.rows, own.captions, number) for own in part.galleries},
        "groups": {"duplicates": [_group(own, number) for own in part.duplicates.found]} if part.duplicates else {},
        "y": [0] * len(rows),
        "called": [-1] * len(rows),
        "top": [[]] * len(rows),
        "xy": _places(part, rows),
    }
    if part.residuals:
        found["galleries"]["residuals"] = _listed(part.residuals.rows, part.residuals.captions, number)
    scored = material.scored(part.target)
    if scored is not None:
        found |= {
            "y": scored.y[rows].tolist(),
            "called": scored.predicted[rows].tolist(),
            "top": [_chances(scored.proba[row]) if scored.known[row] else [] for row in rows],
        }
    return found


def _chances(proba: np.ndarray) -> list[list[float]]:
    """The likeliest classes with their probabilities."""
    order = np.argsort(-proba, kind="stable")[:_CHANCES]
    return [[int(code), round(float(proba[code]), 4)] for code in order]


def _places(part: Part, rows: np.ndarray) -> list[list[float] | None]:
    if part.map is None:
        return [None] * len(rows)
    xy = {
        int(row): [round(float(x), 4), round(float(y), 4)]
        for row, (x, y) in zip(part.map.rows, part.map.xy, strict=True)
    }
    return [xy.get(int(row)) for row in rows]


def _listed(rows: Sequence[int], captions: Sequence[str], number: Mapping[int, int]) -> dict[str, Any]:
    there = [(number[row], caption) for row, caption in zip(rows, captions, strict=True) if row in number]
    return {"rows": [at for at, _ in there], "captions": [caption for _, caption in there]}


def _group(own: Group, number: Mapping[int, int]) -> dict[str, Any]:
    return {"said": own.said, "tag": own.tag, **_listed(own.rows, own.captions, number)}
