"""Numbered views: view v of an item is a pure function of the item, the policy and v, so that it can be stored too.

View 0 is the item itself. The others are drawn from a generator that is seeded by the decoded item and the number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from icecore.data.modalities import IMAGE, SOUND
from icecore.data.sounds import Sound
from icecore.errors import UsageError

_LEAST_AREA, _RATIO = 0.5, 4 / 3
_JITTER = 0.2
_SHIFT, _GAIN_DB, _NOISE_DB = 0.25, 6.0, (-50.0, -30.0)


@dataclass(frozen=True)
class View:
    """One view.

    `image.v1` keeps a random part of the picture, at least half of it, mirrors it half of the time, and changes
    brightness, contrast and colour by up to a fifth (the usual augmentation of ImageNet training, milder).
    `sound.v1` rotates the clip in time by up to a quarter, changes its loudness by up to 6 dB and adds faint noise.

    Attributes:
        policy: `image.v1` or `sound.v1`.
        number: 0 is the item itself.

    Example:
        >>> view = View("image.v1", 3)
        >>> picture = Image.new("RGB", (64, 48), "red")
        >>> view(picture).tobytes() == view(picture).tobytes()
        True
    """

    policy: str
    number: int

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form, part of the key."""
        return {"policy": self.policy, "number": self.number}

    def __call__(self, decoded: Any) -> Any:
        """The view of a decoded item."""
        if self.number == 0:
            return decoded
        content, draw = _POLICIES[self.policy]
        return draw(decoded, np.random.default_rng([zlib.crc32(content(decoded)), self.number]))


@dataclass(frozen=True)
class ViewedPreprocessing:
    """A network's own preprocessing of a view."""

    own: Any
    view: View

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: the network's own, and the view."""
        return {**self.own.value, "view": dict(self.view.value)}

    def __call__(self, decoded: Any) -> Any:
        """Prepare the view of a decoded input."""
        return self.own(self.view(decoded))


def views_of(modality: str, count: int) -> list[View]:
    """So many views of items of a modality, the first of which is the item itself. Raises UsageError."""
    policies = {IMAGE.name: "image.v1", SOUND.name: "sound.v1"}
    if count > 1 and modality not in policies:
        raise UsageError(
            f"{count} views of each item were asked for, and there are none of the modality {modality}.",
            expected="Views are for images and sounds.",
            do="Leave views out.",
        )
    return [View(policies.get(modality, "none"), number) for number in range(count)]


def _image(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    part = image.crop(_crop(image.size, rng))
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        part = change(part).enhance(float(rng.uniform(1 - _JITTER, 1 + _JITTER)))
    return part


def _crop(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a random part."""
    area = size[0] * size[1] * rng.uniform(_LEAST_AREA, 1)
    ratio = size[0] / size[1] * np.exp(rng.uniform(-np.log(_RATIO), np.log(_RATIO)))
    width = int(np.clip(round(np.sqrt(area * ratio)), 1, size[0]))
    height = int(np.clip(round(np.sqrt(area / ratio)), 1, size[1]))
    left, top = int(rng.integers(size[0] - width + 1)), int(rng.integers(size[1] - height + 1))
    return left, top, left + width, top + height


def _sound(sound: Sound, rng: np.random.Generator) -> Sound:
    samples = sound.samples
    reach = int(len(samples) * _SHIFT)
    moved = np.roll(samples, int(rng.integers(-reach, reach + 1)))
    loud = float(np.sqrt(np.mean(samples**2))) * 10 ** (rng.uniform(*_NOISE_DB) / 20)
    noisy = moved + rng.normal(0, loud, len(samples)).astype(np.float32)
    louder = noisy * 10 ** (rng.uniform(-_GAIN_DB, _GAIN_DB) / 20)
    return replace(sound, samples=louder.astype(np.float32))


_POLICIES: dict[str, tuple[Callable[[Any], bytes], Callable[[Any, np.random.Generator], Any]]] = {
    "image.v1": (lambda image: image.tobytes(), _image),
    "sound.v1": (lambda sound: sound.samples.tobytes(), _sound),
}
