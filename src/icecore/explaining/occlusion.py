"""Occlusion: hide a part, ask again (Zeiler and Fergus 2014). Works for every network and every head."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from icecore.data import Sound
from icecore.explaining.reading import Reading

_GRID, _PATCH = 8, 2  # patches of two by two cells on a grid of eight by eight
_TIMES, _BANDS = 16, 6
_WINDOW = 512
_MOST_WORDS = 160
WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


def of_image(reading: Reading, image: Image.Image, code: int) -> np.ndarray:
    """How much the decision falls where a grey patch hides a cell, (8, 8), averaged over the patches that hide it."""
    base = np.asarray(image.convert("RGB"))
    grey = base.reshape(-1, 3).mean(0).astype(np.uint8)
    rows, columns = (np.linspace(0, size, _GRID + 1).round().astype(int) for size in base.shape[:2])
    spots = [(i, j) for i in range(1 - _PATCH, _GRID) for j in range(1 - _PATCH, _GRID)]

    def hidden() -> Iterator[Image.Image]:
        for i, j in spots:
            other = base.copy()
            top, bottom = rows[max(i, 0)], rows[min(i + _PATCH, _GRID)]
            left, right = columns[max(j, 0)], columns[min(j + _PATCH, _GRID)]
            other[top:bottom, left:right] = grey
            yield Image.fromarray(other)

    falls = _falls(reading, image, hidden(), code)
    total, times = np.zeros((_GRID, _GRID)), np.zeros((_GRID, _GRID))
    for (i, j), fall in zip(spots, falls, strict=True):
        cells = slice(max(i, 0), i + _PATCH), slice(max(j, 0), j + _PATCH)
        total[cells] += fall
        times[cells] += 1
    return np.asarray(total / times)


def of_text(reading: Reading, text: str, code: int) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
    """Spans of the words, and how much the decision falls without each, (m,). Of a long text words go in groups."""
    spans = words_of(text)
    groups = np.array_split(np.arange(len(spans)), min(len(spans), _MOST_WORDS)) if spans else []

    def without() -> Iterator[str]:
        for own in groups:
            kept = [text[a:b] for place, (a, b) in enumerate(spans) if place not in set(own.tolist())]
            yield " ".join(kept) or "."

    values = np.zeros(len(spans))
    for own, fall in zip(groups, _falls(reading, text, without(), code), strict=True):
        values[own] = fall / len(own)
    return spans, values


def of_sound(reading: Reading, sound: Sound, code: int) -> np.ndarray:
    """How much the decision falls where a stretch of time in a band of frequencies is silent, (6, 16), low last."""
    from scipy.signal import istft, stft

    window = min(_WINDOW, len(sound.samples))
    bins, _, spectrum = stft(sound.samples, sound.rate, nperseg=window)
    top = 2595 * np.log10(1 + bins[-1] / 700)
    edges = np.searchsorted(bins, 700 * (10 ** (np.linspace(0, top, _BANDS + 1) / 2595) - 1))
    times = np.linspace(0, spectrum.shape[1], _TIMES + 1).round().astype(int)
    edges[-1] = len(bins)

    def silenced() -> Iterator[Sound]:
        for band in range(_BANDS)[::-1]:
            for time in range(_TIMES):
                other = spectrum.copy()
                other[edges[band] : edges[band + 1], times[time] : times[time + 1]] = 0
                samples = istft(other, sound.rate, nperseg=window)[1][: len(sound.samples)]
                yield Sound(np.asarray(samples, np.float32), sound.rate)

    return _falls(reading, sound, silenced(), code).reshape(_BANDS, _TIMES)


def words_of(text: str) -> tuple[tuple[int, int], ...]:
    """Start and end of each word and sign.

    Example:
        >>> words_of("It's late!")
        ((0, 4), (5, 9), (9, 10))
    """
    return tuple(found.span() for found in WORD.finditer(text))


def _falls(reading: Reading, decoded: Any, others: Iterator[Any], code: int) -> np.ndarray:
    prepare: Callable[[Any], Any] = reading.backbone.prepare
    prepared: Sequence[Any] = [prepare(decoded), *(prepare(other) for other in others)]
    scores = reading.scores(prepared, code)
    return np.asarray(scores[0] - scores[1:])
