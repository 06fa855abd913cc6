"""Small pictures of items, as data addresses that a page can hold: images, spectrograms of sounds."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from icecore.data import Item, Sound, decode_image, load
from icecore.errors import BadItemError

SIDES = {800: 160, 2000: 112}  # pixels of the longer side, by the most items that there may be for it
SIDE, LARGE = 80, 192  # for more than those, and for what galleries show
_QUALITY = 62
_LETTERS = 300
_SOUND_SECONDS, _SOUND_BYTES = 6, 1 << 20
_WINDOW, _SPECTRUM_RANGE = 512, 80.0
_THREADS = 4
# Black to yellow in even steps of lightness, so that it reads without colour too (as matplotlib's inferno).
_HEAT = np.array([(0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)], float)


_GONE = {"image+text": "a model keeps no paths of pairs"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of an item: a picture, a text, a sound, each empty where there is none; `lost` says why."""

    picture: str = ""
    text: str = ""
    sound: str = ""
    lost: str = ""


@dataclass
class Budget:
    """How many bytes pictures may take in all. What comes too late gets none."""

    left: int
    refused: int = 0

    def spend(self, address: str) -> str:
        """The address, or nothing where it does not fit."""
        if len(address) > self.left:
            self.refused += 1
            return ""
        self.left -= len(address)
        return address


@dataclass
class Previewer:
    """Makes previews of items, within a budget; a bad or missing item becomes a preview that says so.

    Attributes:
        modality: of the items.
        side: pixels of the longer side of pictures that are not large.
        pictures: bytes for pictures.
        sounds: bytes for sounds to play.
    """

    modality: str
    side: int
    pictures: Budget
    sounds: Budget = field(default_factory=lambda: Budget(_SOUND_BYTES))

    def all(self, items: list[tuple[Item | None, bool]], told: Any) -> list[Preview]:
        """A preview of each item; those with True are made large. `told(1)` is called after each."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return [self._kept(preview, told) for preview in pool.map(self._safely, items)]

    def _kept(self, preview: Preview, told: Any) -> Preview:
        told(1)
        picture, sound = self.pictures.spend(preview.picture), self.sounds.spend(preview.sound)
        return Preview(picture, preview.text, sound, preview.lost)

    def _safely(self, asked: tuple[Item | None, bool]) -> Preview:
        item, large = asked
        if item is None:
            return Preview(lost=_GONE.get(self.modality, "the file is not where it was"))
        try:
            return preview_of(item, self.modality, max(self.side, LARGE) if large else self.side, large=large)
        except BadItemError as error:
            return Preview(lost=str(error))


def side_for(items: int) -> int:
    """How large the pictures of so many items may be, in pixels."""
    return next((side for most, side in SIDES.items() if items <= most), SIDE)


def preview_of(item: Item, modality: str, side: int, *, large: bool = False) -> Preview:
    """The preview of one item, a sound to play where it is large. Raises BadItemError where it cannot be read."""
    if item.kind == "tuple":
        image, text = item.value
        return Preview(preview_of(image, "image", side).picture, preview_of(text, "text", side).text)
    if modality == "image":
        return Preview(picture_address(_small(item, side), side))
    decoded = load(item, modality)[1]
    if modality == "text":
        return Preview(text=decoded if len(decoded) <= _LETTERS else decoded[:_LETTERS] + "…")
    if isinstance(decoded, Sound):
        return Preview(picture_address(spectrogram(decoded), 2 * side), sound=_playable(decoded) if large else "")
    return Preview()


def picture_address(image: Image.Image, side: int) -> str:
    """An image as a WebP data address, no side longer than this many pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "WEBP", quality=_QUALITY, method=4)
    return _address("image/webp", sink.getvalue())


def spectrogram(sound: Sound, width: int = 320, height: int = 128) -> Image.Image:
    """Loudness by time (across) and frequency (up, on the mel scale), in shades of heat."""
    samples = np.pad(sound.samples, (0, max(0, _WINDOW - len(sound.samples))))
    starts = np.linspace(0, len(samples) - _WINDOW, width).astype(int)
    frames = samples[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)
    loudness = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-9)
    loudness = np.clip((loudness - loudness.max()) / _SPECTRUM_RANGE + 1, 0, 1)
    mels = np.linspace(0, 2595 * np.log10(1 + sound.rate / 1400), height)
    bins = (700 * (10 ** (mels / 2595) - 1) / (sound.rate / 2) * (loudness.shape[1] - 1)).round().astype(int)
    return Image.fromarray(heat(loudness[:, bins].T[::-1]))


def heat(values: np.ndarray) -> np.ndarray:
    """Values (h, w) from 0 to 1 as colours (h, w, 3), uint8, from dark to bright."""
    at = np.clip(values, 0, 1) * (len(_HEAT) - 1)
    below = np.minimum(at.astype(int), len(_HEAT) - 2)
    share = (at - below)[..., None]
    return np.asarray(_HEAT[below] * (1 - share) + _HEAT[below + 1] * share, np.uint8)


def _small(item: Item, side: int) -> Image.Image:
    """An image, decoded no larger than needed where its format allows that."""
    if item.kind not in ("file", "bytes"):
        image: Image.Image = load(item, "image")[1]
        return image
    try:
        raw = bytes(item.value) if item.kind == "bytes" else item.value.read_bytes()
        opened = Image.open(io.BytesIO(raw))
        opened.draft("RGB", (2 * side, 2 * side))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadItemError(getattr(error, "strerror", None) or str(error)) from error
    return decode_image(opened)


def _playable(sound: Sound) -> str:
    """The first seconds as MP3, or nothing where libsndfile cannot write that."""
    import soundfile

    sink = io.BytesIO()
    part = sound.samples[: _SOUND_SECONDS * sound.rate]
    try:
        soundfile.write(sink, part, sound.rate, format="MP3")
    except (RuntimeError, ValueError):  # an old libsndfile, or a rate that MP3 does not have
        return ""
    return _address("audio/mpeg", sink.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
