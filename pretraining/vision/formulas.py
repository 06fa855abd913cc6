"""Images from formulas: what the bundled backbone sees beside crops of two photographs.

Six kinds, each a function of a generator and a side, returning uint8 (side, side, 3):

- `fractal`: iterated function systems, as in Kataoka et al. 2020, *Pre-training without Natural Images*
  (https://arxiv.org/abs/2101.08515).
- `textured`: fields painted, as in Baradad et al. 2021, *Learning to See by Looking at Noise*
  (https://arxiv.org/abs/2106.05963), whose dead leaves are `leaves` here.
- `leaves`: shapes that hide one another, with textures, shading and shadows.
- `creature`: one lit body of several bulging parts, often mirrored, before a background.
- `scene`: sky, ground and horizon with lit bodies and boxes.
- `glyphs`: strokes of a pen, alone or many, on paper or clutter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pretraining.vision.fields import Field, Picture, Rng, any_field, colour, grid, noise, paint, texture, unit

Pixels = NDArray[np.uint8]
Patches = Callable[[Rng, int], Picture]  # crops of photographs, where there are some


def draw(rng: Rng, side: int, patches: Patches | None = None) -> Pixels:
    """One image of a random kind. Where `patches` is given, some surfaces are photographs."""
    kinds = (fractal, textured, leaves, leaves, creature, creature, scene, glyphs, glyphs)
    maker = kinds[int(rng.integers(len(kinds)))]
    picture = maker(rng, side, Surfaces(patches))
    if rng.random() < 0.25:
        picture = _blur(picture, float(rng.uniform(0.4, 2)))
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


class Surfaces:
    """What shapes are covered with: textures, plain colours, and patches of photographs where there are some."""

    def __init__(self, patches: Patches | None = None) -> None:
        self.patches = patches

    def __call__(self, rng: Rng, side: int) -> Picture:
        """A picture (side, side, 3) in 0..1."""
        choice = rng.random()
        if self.patches is not None and choice < 0.4:
            return self.patches(rng, side)
        if choice < 0.65:
            return np.broadcast_to(colour(rng), (side, side, 3)).astype(np.float32)
        return texture(rng, side)


def textured(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """Two textures, joined along a third field."""
    first, second = texture(rng, side), surface(rng, side)
    mask = np.clip((any_field(rng, side) - 0.5) * float(rng.choice([2, 10])) + 0.5, 0, 1)[..., None]
    return cast("Picture", first * mask + second * (1 - mask))


def fractal(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """Chaos game of two to six affine maps, coloured by the map last taken, over a surface or black."""
    maps = int(rng.integers(2, 7))
    linear = rng.uniform(-1, 1, (maps, 2, 2))
    largest = np.linalg.norm(linear, 2, axis=(1, 2), keepdims=True)
    linear *= rng.uniform(0.6, 0.98, (maps, 1, 1)) / largest
    shift = rng.uniform(-1, 1, (maps, 2))
    points, steps = rng.uniform(-1, 1, (2500, 2)), 24
    seen, last = [], []
    for step in range(steps):
        taken = rng.integers(maps, size=len(points))
        points = np.einsum("nij,nj->ni", linear[taken], points) + shift[taken]
        if step >= 6:
            seen.append(points)
            last.append(taken)
    places, owners = np.concatenate(seen), np.concatenate(last)
    low, high = np.quantile(places, [0.01, 0.99], axis=0)
    pixels = ((places - low) / np.maximum(high - low, 1e-6) * 0.9 + 0.05) * (side - 1)
    inside = ((pixels >= 0) & (pixels < side - 1)).all(1)
    x, y = pixels[inside].astype(np.int32).T
    palette = np.stack([colour(rng) for _ in range(maps)])
    picture = surface(rng, side) * float(rng.choice([0, 0.5, 1]))
    picture[y, x] = palette[owners[inside]]
    picture[np.minimum(y + 1, side - 1), x] = palette[owners[inside]]
    return picture


def leaves(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """Shapes from far to near, each with a surface, an outline at times, shading and a shadow."""
    picture = surface(rng, side).copy()
    count = int(np.exp(rng.uniform(np.log(3), np.log(30))))
    few = [surface(rng, side) for _ in range(min(count, 5))]
    for number in range(count):
        mask = _mask(rng, side, float(np.exp(rng.uniform(np.log(0.08), np.log(0.55)))))
        skin = few[number % len(few)]
        skin = np.roll(skin, tuple(int(v) for v in rng.integers(side, size=2)), (0, 1)) * float(rng.uniform(0.6, 1.2))
        _lay(rng, picture, skin * _shade(rng, side), mask, shadow=rng.random() < 0.4)
    return picture


def creature(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """A body with parts, lit as a solid, before a background."""
    picture = surface(rng, side).copy()
    for _ in range(int(rng.integers(1, 3))):
        height = _body(rng, side)
        skin = surface(rng, side)
        _lay(rng, picture, _light(rng, height, skin), np.clip(height * 8, 0, 1), shadow=rng.random() < 0.5)
    return picture


def scene(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """A horizon, a gradient above, a surface seen at a slant below, bodies and boxes on it."""
    line = int(side * rng.uniform(0.2, 0.8))
    sky = paint(rng, unit(grid(side)[1] + 0.5 * float(rng.choice([0, 1])) * noise(rng, side, 1.8)))
    ground = surface(rng, side)
    rows = np.clip((np.arange(side) - line) / max(side - line, 1), 0, 1) ** 0.6 * (side - 1)
    picture = np.where((np.arange(side) < line)[:, None, None], sky, ground[rows.astype(np.int32)])
    for _ in range(int(rng.integers(1, 7))):
        if rng.random() < 0.5:
            height = _body(rng, side, float(rng.uniform(0.15, 0.6)))
            _lay(rng, picture, _light(rng, height, surface(rng, side)), np.clip(height * 8, 0, 1), shadow=True)
        else:
            _box(rng, picture, surface(rng, side), line)
    return picture.astype(np.float32)


def glyphs(rng: Rng, side: int, surface: Surfaces) -> Picture:
    """One large sign or a page of small ones: curved and straight strokes of one pen."""
    rows = int(rng.choice([1, 1, 1, 1, 2, 3, 5]))
    scale = 3
    sheet = Image.new("L", (side * scale, side * scale), 0)
    pen = ImageDraw.Draw(sheet)
    cell = side * scale / rows
    width = max(2.0, cell * float(rng.uniform(0.012, 0.09)))
    for row in range(rows):
        for column in range(rows):
            for _ in range(int(rng.integers(1, 6))):
                _stroke(rng, pen, np.array([column, row]) * cell, cell, width)
    ink = np.asarray(sheet.resize((side, side), Image.Resampling.BOX), np.float32)[..., None] / 255
    choice = rng.random()
    if choice < 0.5:
        paper, tone = np.float32(1), np.zeros(3, np.float32)
    elif choice < 0.6:
        paper, tone = np.float32(0), np.ones(3, np.float32)
    else:
        paper, tone = surface(rng, side), colour(rng)
    return cast("Picture", (paper * (1 - ink) + tone * ink).astype(np.float32))


def _stroke(rng: Rng, pen: ImageDraw.ImageDraw, corner: NDArray[np.float64], cell: float, width: float) -> None:
    """One cubic curve, a polygon's side or an arc, inside a cell."""
    knots = corner + cell * rng.uniform(0.1, 0.9, (4, 2))
    if rng.random() < 0.3:  # straight
        knots[1], knots[2] = knots[0], knots[3]
    t = np.linspace(0, 1, 24)[:, None]
    curve = (1 - t) ** 3 * knots[0] + 3 * t * (1 - t) ** 2 * knots[1] + 3 * t**2 * (1 - t) * knots[2] + t**3 * knots[3]
    points = cast("Sequence[float]", [tuple(p) for p in curve])
    pen.line(points, fill=255, width=int(width), joint="curve")


def _mask(rng: Rng, side: int, size: float) -> Field:
    """An ellipse, a polygon, a star or a blob at a random place. 0..1."""
    centre, count = rng.uniform(0, side, 2), int(rng.integers(3, 9))
    kind = int(rng.integers(4))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count)) if kind == 1 else np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radii = np.full(len(angles), 1.0)
    if kind == 2:
        radii = 1 + 0.6 * np.sign(np.sin(angles * count))
    elif kind == 3:
        radii = 1 + sum(rng.normal(0, 0.25 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(2, 7))
    aspect, turn = float(np.exp(rng.uniform(-0.9, 0.9))), float(rng.uniform(0, np.pi))
    x, y = radii * np.cos(angles) * aspect, radii * np.sin(angles) / aspect
    u, v = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    image = Image.new("L", (side, side), 0)
    corners = [(float(a), float(b)) for a, b in np.stack([u, v], 1) * size * side + centre]
    ImageDraw.Draw(image).polygon(corners, fill=255)
    return np.asarray(image, np.float32) / 255


def _body(rng: Rng, side: int, size: float | None = None) -> Field:
    """Height of a smooth union of bulges, 0 outside: a trunk, limbs along it, often mirrored."""
    x, y = grid(side)
    size = float(rng.uniform(0.35, 0.9)) if size is None else size
    turn, cx, cy = float(rng.uniform(-np.pi, np.pi)), *rng.uniform(-0.5, 0.5, 2)
    u = ((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) / size
    v = ((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)) / size
    if rng.random() < 0.6:
        v = np.abs(v)  # bilateral symmetry
    square = np.full_like(x, 0)
    for number in range(int(rng.integers(1, 8))):
        a, b = rng.uniform(-0.8, 0.8), rng.uniform(0, 0.7) * (number > 0)
        rx, ry = rng.uniform(0.08, 0.6, 2) / (1 + number * 0.3)
        power = float(rng.choice([2, 2, 4, 8]))
        reach = np.abs((u - a) / rx) ** power + np.abs((v - b) / ry) ** power
        square = np.maximum(square, np.clip(1 - reach, 0, 1) * min(rx, ry))
    return np.sqrt(square).astype(np.float32) * size


def _light(rng: Rng, height: Field, skin: Picture) -> Picture:
    """Lambert shading with ambient light and a highlight."""
    bumps = height + 0.02 * float(rng.choice([0, 1])) * any_field(rng, len(height))
    dy, dx = np.gradient(bumps * len(height) / 2)
    normal = np.stack([-dx, -dy, np.ones_like(dx)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([*rng.uniform(-1, 1, 2), rng.uniform(0.5, 1.5)])
    lamp /= np.linalg.norm(lamp)
    facing = np.clip(normal @ lamp, 0, 1)
    ambient = float(rng.uniform(0.3, 0.7))
    shine = float(rng.choice([0, 0, 0.6])) * facing ** int(rng.integers(8, 40))
    return cast("Picture", (skin * (ambient + (1 - ambient) * facing)[..., None] + shine[..., None]).astype(np.float32))


def _box(rng: Rng, picture: Picture, skin: Picture, line: int) -> None:
    """A house or a wall: a lit rectangle with a darker side, and at times windows. Changes `picture`."""
    side = len(picture)
    w, h = (int(v) for v in rng.integers(side // 10, side // 2, 2))
    x, base = int(rng.integers(-w // 2, side - w // 2)), int(np.clip(line + rng.integers(0, side // 3), 1, side))
    top, left, right = max(base - h, 0), max(x, 0), min(x + w, side)
    if right - left < 3 or base - top < 3:
        return
    face = skin[top:base, left:right].copy()
    if rng.random() < 0.5:
        rows, columns = np.arange(base - top)[:, None], np.arange(right - left)[None, :]
        step = int(rng.integers(5, 20))
        face[((rows % step) > step // 2) & ((columns % step) > step // 2)] *= float(rng.uniform(0.2, 1.6))
    split = int((right - left) * rng.uniform(0.3, 1))
    face[:, split:] *= float(rng.uniform(0.4, 0.8))
    picture[top:base, left:right] = face


def _shade(rng: Rng, side: int) -> Picture:
    """Light that falls off across a shape."""
    x, y = grid(side)
    angle, depth = float(rng.uniform(0, 2 * np.pi)), float(rng.choice([0, 0.3, 0.6]))
    return cast("Picture", (1 + depth * (x * np.cos(angle) + y * np.sin(angle)))[..., None].astype(np.float32))


def _lay(rng: Rng, picture: Picture, skin: Picture, mask: Field, *, shadow: bool) -> None:
    """Put a skin on a picture where the mask is, over its shadow. Changes `picture`."""
    if shadow:
        offset = tuple(int(v) for v in rng.integers(-len(mask) // 16, len(mask) // 16 + 1, 2))
        cast_shadow = _blur(np.roll(mask, offset, (0, 1)), len(mask) / 40)
        picture *= 1 - float(rng.uniform(0.2, 0.7)) * cast_shadow[..., None]
    picture += (np.clip(skin, 0, 1) - picture) * mask[..., None]


def _blur(field: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255
