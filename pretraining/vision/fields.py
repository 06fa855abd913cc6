"""Scalar and colour fields on a square grid: the matter that formula images are made of.

A field is a float32 array (side, side); a picture is float32 (side, side, 3) in 0..1. All randomness comes from the
generator given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Picture = NDArray[np.float32]
Rng = np.random.Generator


def grid(side: int) -> tuple[Field, Field]:
    """x and y from -1 to 1."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    return np.meshgrid(line, line)  # type: ignore[return-value]  # two arrays


def unit(field: Field) -> Field:
    """Scaled to 0..1."""
    low, high = float(field.min()), float(field.max())
    return ((field - low) / max(high - low, 1e-6)).astype(np.float32)


def noise(rng: Rng, side: int, slope: float | None = None) -> Field:
    """Random field whose amplitudes fall as frequency to the power of -slope: 1 is rough, 2 is clouds."""
    slope = float(rng.uniform(0.6, 2.4)) if slope is None else slope
    fy = np.fft.fftfreq(side)[:, None]
    fx = np.fft.rfftfreq(side)[None, :]
    stretch = float(np.exp(rng.uniform(-1.2, 1.2)))  # anisotropy: wood, water, fur
    angle = float(rng.uniform(0, np.pi))
    u, v = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
    radius = np.sqrt((u * stretch) ** 2 + (v / stretch) ** 2)
    radius[0, 0] = 1
    spectrum = rng.normal(size=radius.shape) + 1j * rng.normal(size=radius.shape)
    return unit(np.fft.irfft2(spectrum / radius**slope, s=(side, side)).astype(np.float32))


def grating(rng: Rng, side: int) -> Field:
    """Stripes, checks, rings, spokes or dots, bent by a smooth field."""
    x, y = grid(side)
    bend = float(rng.choice([0, 0.1, 0.5]))
    x, y = x + bend * (noise(rng, side, 2.2) - 0.5), y + bend * (noise(rng, side, 2.2) - 0.5)
    angle, step = float(rng.uniform(0, np.pi)), float(np.exp(rng.uniform(np.log(3), np.log(40))))
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    cx, cy = rng.uniform(-1, 1, 2)
    kind = int(rng.integers(5))
    if kind == 0:
        wave = np.sin(u * step)
    elif kind == 1:
        wave = np.sin(u * step) * np.sin(v * step * float(rng.uniform(0.5, 2)))
    elif kind == 2:
        wave = np.sin(np.hypot(u - cx, v - cy) * step)
    elif kind == 3:
        wave = np.sin(np.arctan2(v - cy, u - cx) * int(rng.integers(3, 24)))
    else:
        wave = np.maximum(np.cos(u * step), np.cos(v * step))
    sharp = float(rng.choice([1, 4, 20]))
    return (0.5 + 0.5 * np.tanh(sharp * wave) / np.tanh(sharp)).astype(np.float32)


def cells(rng: Rng, side: int) -> Field:
    """Worley cells: distance to the nearest points, or the gap between the two nearest (scales, stones, cracks)."""
    points = rng.uniform(-1.1, 1.1, (int(rng.integers(6, 60)), 2)).astype(np.float32)
    coarse = max(32, side // 2)
    x, y = grid(coarse)
    squares = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    nearest = np.sqrt(np.partition(squares, 1, axis=-1)[..., :2])
    field = nearest[..., 0] if rng.random() < 0.5 else nearest[..., 1] - nearest[..., 0]
    return resize(unit(field.astype(np.float32)), side)


def resize(field: Field, side: int) -> Field:
    """Bilinear, to another side."""
    from PIL import Image

    return np.asarray(Image.fromarray(field).resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)


def any_field(rng: Rng, side: int) -> Field:
    """One of the above, at times two multiplied."""
    maker = (noise, noise, grating, cells)[int(rng.integers(4))]
    field = maker(rng, side)
    return unit(field * any_field(rng, side)) if rng.random() < 0.2 else field


def colour(rng: Rng) -> NDArray[np.float32]:
    """RGB in 0..1, muted more often than vivid, as in photographs."""
    value, saturation, hue = rng.uniform(0.05, 1), rng.beta(1.2, 2.2), rng.uniform(0, 6)
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation * (1 - wheel))).astype(np.float32)


def paint(rng: Rng, field: Field) -> Picture:
    """Field to colours, along a path of two to five colours; sometimes related ones."""
    stops = np.stack([colour(rng) for _ in range(int(rng.integers(2, 6)))])
    if rng.random() < 0.6:
        stops = stops[0] + (stops - stops[0]) * float(rng.uniform(0.1, 0.6))
    place = np.clip(field, 0, 1) * (len(stops) - 1)
    below = np.minimum(place.astype(np.int32), len(stops) - 2)
    share = (place - below)[..., None]
    return (stops[below] * (1 - share) + stops[below + 1] * share).astype(np.float32)


def texture(rng: Rng, side: int) -> Picture:
    """A painted field, with fine grain at times."""
    picture = paint(rng, any_field(rng, side))
    if rng.random() < 0.4:
        picture = picture + rng.normal(0, float(rng.uniform(0.01, 0.12)), (side, side, 1)).astype(np.float32)
    return np.clip(picture, 0, 1)
