"""Arrays as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from icecore.data.colours import on_white, remark_grey
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = (1, 3, 4)
_SLACK = 1e-6  # what a resize in single precision may overshoot


def image_of_array(array: NDArray[Any]) -> Image.Image:
    """An array as an RGB image.

    Args:
        array: uint8, or floats from 0 to 1. (height, width); (height, width, channels) with 1, 3 or 4 channels; or
            (channels, height, width) where the last axis cannot be the channels. A fourth channel is alpha, on white.

    Returns:
        A PIL image in mode RGB.

    Raises:
        BadItemError: any other dtype, shape or range; it says which.

    Example:
        >>> image_of_array(np.ones((3, 32, 20), np.float32)).size
        (20, 32)
    """
    pixels = _channels_last(_bytes(array))
    if pixels is None or 0 in array.shape:
        raise _unfit(array)
    if pixels.ndim == 2:
        remark_grey()
        return Image.fromarray(pixels).convert("RGB")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return on_white(image) if image.mode == "RGBA" else image


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if np.issubdtype(array.dtype, np.floating) and array.size:
        low, high = array.min(), array.max()
        if low >= -_SLACK and high <= 1 + _SLACK:  # false for NaN
            scaled: NDArray[np.uint8] = np.rint(np.clip(array, 0, 1) * np.float32(255)).astype(np.uint8)
            return scaled
    raise _unfit(array)


def _channels_last(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """(height, width) or (height, width, 3 or 4); None for a shape that is no image's."""
    if pixels.ndim == 3 and pixels.shape[2] not in _CHANNELS and pixels.shape[0] in _CHANNELS:
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return pixels if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in _CHANNELS) else None


def _unfit(array: NDArray[Any]) -> BadItemError:
    numeric = array.size and np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array)
    span = f" and values from {array.min():g} to {array.max():g}" if numeric else ""
    return BadItemError(
        f"an array of {array.dtype} with shape {array.shape}{span} is no image:",
        expected="expected uint8 or floats from 0 to 1, (height, width), (height, width, 1, 3 or 4) or (1, 3 or 4, "
        "height, width)",
    )
