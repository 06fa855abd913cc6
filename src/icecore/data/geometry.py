"""Resize and crop, with the roundings of the libraries that the networks were trained with."""

from __future__ import annotations

from PIL import Image, ImageOps

Size = tuple[int, int]
Colour = tuple[int, int, int]


def resized(image: Image.Image, how: str, size: int | Size, interpolation: str, fill: Colour) -> Image.Image:
    """Resize to `shortest` edge, `exact` size, or `longest-pad`. `size` is an edge, or (height, width), in pixels."""
    box = (size, size) if isinstance(size, int) else size
    if how == "exact":
        return _resize(image, box, interpolation)
    if how == "shortest":
        return _resize(image, _shortest(image.size, box[0]), interpolation)
    return _pad(_resize(image, _within(image.size, box), interpolation), box, fill)


def resized_sizes(size: Size, how: str, asked: int | Size) -> tuple[Size, Size]:
    """What `resized` makes of an image of (width, height): the size with padding and the size without, likewise."""
    box = (asked, asked) if isinstance(asked, int) else asked
    if how == "longest-pad":
        return box[::-1], _within(size, box)[::-1]
    inner = box[::-1] if how == "exact" else _shortest(size, box[0])[::-1]
    return inner, inner


def centre_crop(image: Image.Image, crop: Size, rounding: str, fill: Colour) -> Image.Image:
    """The centre, (height, width) in pixels; what the image lacks is padded, as torchvision's `center_crop`."""
    image = _pad(image, crop, fill)
    half = _floor_half if rounding == "floor" else _round_half
    top, left = (half(have - want) for have, want in zip(image.size[::-1], crop, strict=True))
    return image.crop((left, top, left + crop[1], top + crop[0]))


def _resize(image: Image.Image, size: Size, interpolation: str) -> Image.Image:
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling[interpolation.upper()])


def _shortest(size: Size, edge: int) -> Size:
    """Of an image of (width, height); the longer edge is cut down to an integer, as torchvision does."""
    width, height = size
    short = min(width, height)
    return (int(edge * height / short), edge) if width <= height else (edge, int(edge * width / short))


def _within(size: Size, box: Size) -> Size:
    """The largest (height, width) of the ratio of (width, height) within a box; no edge under a pixel."""
    width, height = size
    ratio = min(box[0] / height, box[1] / width)
    return max(1, min(box[0], round(height * ratio))), max(1, min(box[1], round(width * ratio)))


def _pad(image: Image.Image, box: Size, fill: Colour) -> Image.Image:
    """At least (height, width), the image in the centre."""
    lacks = [max(0, want - have) for want, have in zip(box, image.size[::-1], strict=True)]
    if not any(lacks):
        return image
    top, left = (_floor_half(lack) for lack in lacks)
    return ImageOps.expand(image, (left, top, lacks[1] - left, lacks[0] - top), fill)


def _floor_half(pixels: int) -> int:
    return pixels // 2


def _round_half(pixels: int) -> int:
    return round(pixels / 2)
