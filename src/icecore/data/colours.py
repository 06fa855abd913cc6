"""Colour: any PIL mode -> RGB, as a person would see it on a white page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

from icecore.data.remarks import remark

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB. 16-bit greys are scaled from 65,535, fractional ones from 1 where they lie in 0..1, else from 255.

    Greys outside these ranges are stretched between their lowest and their highest value.
    """
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;"):
        remark_grey()
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _grey(np.asarray(image)).convert("RGB")
    if _has_alpha(image):
        return on_white(_with_alpha(image))
    if image.mode in ("CMYK", "LAB"):
        remark(f"were turned from {image.mode} to RGB")
        return _by_profile(image)
    return image.convert("RGB")


def remark_grey() -> None:
    """Say that one channel became three."""
    remark("are grey and were read as RGB")


def on_white(image: Image.Image) -> Image.Image:
    """An RGBA image on a white page."""
    remark("have an alpha channel and were put on white")
    page = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(page, image).convert("RGB")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _with_alpha(image: Image.Image) -> Image.Image:
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _grey(values: NDArray[Any]) -> Image.Image:
    real = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(real.min()), float(real.max())
    if np.issubdtype(values.dtype, np.integer):
        start, span = (0.0, 65535.0) if low >= 0 and high <= 65535 else (low, high - low)
    elif low >= 0 and high <= 255:
        start, span = 0.0, 1.0 if high <= 1 else 255.0
    else:
        start, span = low, high - low
    return Image.fromarray(np.rint((real - start) * (255.0 / (span or 1.0))).astype(np.uint8))


def _by_profile(image: Image.Image) -> Image.Image:
    """Through colour management: print and LAB colours mean nothing else. Without a usable profile, Pillow's rule."""
    try:
        source = _profile(image)
        if source is None:
            return image.convert("RGB")
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ImportError):  # damaged, for another mode, or Pillow built without LittleCMS
        return image.convert("RGB")
    return image.convert("RGB") if turned is None else turned


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    if image.mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    raw = image.info.get("icc_profile")
    return ImageCms.ImageCmsProfile(io.BytesIO(raw)) if raw else None
