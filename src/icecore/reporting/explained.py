"""Explanations drawn: heat over pictures and spectrograms, marks on words, beside similar training items."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from icecore.data import Item, Sound
from icecore.errors import BadItemError, UsageError
from icecore.explaining import Attribution, Grid, Neighbour, Words
from icecore.reporting.page import plain_page
from icecore.reporting.previews import preview_of, spectrogram

_LARGEST, _SMALL = 640, 112  # pixels
_FOR, _AGAINST = (217, 95, 2), (60, 90, 200)  # told apart by the colour-blind too
_STRENGTH = 0.72
_LEVELS = 5


@dataclass(frozen=True)
class Explained:
    """An input with its explanation.

    Attributes:
        input: its name.
        row: its place in the data as given.
        attribution: what speaks for the label.
        neighbours: the most similar training items.
    """

    input: str
    row: int
    attribution: Attribution
    neighbours: tuple[Neighbour, ...]


def overlay(attribution: Attribution) -> Image.Image:
    """The picture or the spectrogram, grey, with what speaks for the label in orange and what against in blue."""
    parts, decoded = attribution.parts, attribution.decoded
    assert isinstance(parts, Grid)  # noqa: S101 - texts are no pictures
    picture = spectrogram(decoded) if isinstance(decoded, Sound) else decoded.convert("RGB")
    picture = picture.copy() if not isinstance(decoded, Sound) else picture.resize((640, 256))
    picture.thumbnail((_LARGEST, _LARGEST))
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float32)
    heat = _spread(parts, picture.size)[..., None]
    colour = np.where(heat > 0, np.array(_FOR, np.float32), np.array(_AGAINST, np.float32))
    share = np.abs(heat) * _STRENGTH
    return Image.fromarray(np.asarray((1 - share) * grey + share * colour, np.uint8))


def write_explained(
    path: Path, found: Sequence[Explained], target: str, modality: str, items: Sequence[Item | None]
) -> Path:
    """Write explanations to one page, or to a folder: a page, and a picture of each. Returns the path.

    Raises UsageError where it cannot be written.
    """
    pictures = [overlay(one.attribution) if isinstance(one.attribution.parts, Grid) else None for one in found]
    text = _page(found, pictures, target, modality, items)
    try:
        if path.suffix.lower() in (".html", ".htm"):
            path.write_text(text, "utf-8")
            return path
        path.mkdir(parents=True, exist_ok=True)
        (path / "index.html").write_text(text, "utf-8")
        for number, picture in enumerate(pictures):
            if picture is not None:
                picture.save(path / f"{number:03d}.png")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", do="Choose another place.") from error
    return path


def _spread(parts: Grid, size: tuple[int, int]) -> np.ndarray:
    """The values where they belong on a picture of (width, height); none elsewhere."""
    width, height = size
    left, top, right, bottom = (round(v * s) for v, s in zip(parts.box, (width, height) * 2, strict=True))
    own = Image.fromarray(np.asarray(parts.values, np.float32)).resize(
        (max(right - left, 1), max(bottom - top, 1)), Image.Resampling.BICUBIC
    )
    whole = Image.new("F", (width, height))
    whole.paste(own, (left, top))
    return np.asarray(np.clip(np.asarray(whole), -1, 1))


def _page(
    found: Sequence[Explained], pictures: Sequence[Image.Image | None], target: str, modality: str,
    items: Sequence[Item | None],
) -> str:  # fmt: skip
    known: dict[int, str] = {}
    rows = [
        {
            "name": one.input,
            "label": str(one.attribution.label),
            "probability": one.attribution.probability,
            "method": one.attribution.method,
            "picture": "" if picture is None else _png(picture),
            "before": "" if picture is None else _png(_shown(one.attribution.decoded)),
            "words": _marked(one.attribution.parts) if isinstance(one.attribution.parts, Words) else "",
            "near": [
                {"name": own.input, "label": str(own.label), "alike": own.similarity,
                 "picture": _thumbnail(own.row, items, modality, known)} for own in one.neighbours
            ],
        }
        for one, picture in zip(found, pictures, strict=True)
    ]  # fmt: skip
    return plain_page("explained.html", target=target, rows=rows, modality=modality)


def _shown(decoded: Any) -> Image.Image:
    if isinstance(decoded, Sound):
        return spectrogram(decoded).resize((640, 256))
    small: Image.Image = decoded.convert("RGB")
    small = small.copy()
    small.thumbnail((_LARGEST, _LARGEST))
    return small


def _marked(parts: Words) -> str:
    """The text with its words marked, as HTML in which everything is escaped."""
    pieces, at = [], 0
    for (start, end), value in zip(parts.spans, parts.values, strict=True):
        level = round(abs(float(value)) * _LEVELS)
        pieces.append(escape(parts.text[at:start]))
        word = escape(parts.text[start:end])
        kind = "for" if value > 0 else "against"
        pieces.append(f'<mark class="{kind} m{level}" title="{value:+.2f}">{word}</mark>' if level else word)
        at = end
    return "".join([*pieces, escape(parts.text[at:])])


def _thumbnail(row: int, items: Sequence[Item | None], modality: str, known: dict[int, str]) -> str:
    item = items[row] if row < len(items) else None
    if row not in known:
        try:
            known[row] = "" if item is None else preview_of(item, modality, _SMALL).picture
        except BadItemError:
            known[row] = ""
    return known[row]


def _png(image: Image.Image) -> str:
    sink = io.BytesIO()
    image.save(sink, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(sink.getvalue()).decode('ascii')}"
