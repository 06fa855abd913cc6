"""Decoding: a file's bytes, an array or a PIL image -> the RGB that a person sees, upright."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from icecore.data.arrays import image_of_array
from icecore.data.colours import to_rgb
from icecore.data.image_formats import declared_size, formats, signature
from icecore.data.pillow_warnings import silence_pillow
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 178_956_970
MAX_RATIO = 500  # of the longer to the shorter edge: a thread one pixel wide, resized to 256, would fill the memory

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(source: bytes | NDArray[Any] | Image.Image) -> Image.Image:
    """An image as a person sees it: upright by its EXIF orientation, first frame, on white where it is transparent.

    Greyscale, palette, alpha, CMYK (by its colour profile where it carries one), YCbCr, LAB, HSV and 16-bit images come
    out as 8-bit RGB.

    Args:
        source: a file's content; an array (see `image_of_array`); or a PIL image, which is left as it is.

    Returns:
        A PIL image in mode RGB.

    Raises:
        BadItemError: with the reason, for people: empty, truncated, damaged, no image, more than 178,956,970 pixels.

    Example:
        >>> decode_image(np.zeros((2, 3), np.uint8)).size
        (3, 2)
    """
    silence_pillow()
    if isinstance(source, np.ndarray):
        return image_of_array(source)
    image = source if isinstance(source, Image.Image) else _opened(bytes(source))
    _require_size(image.size)
    try:
        image.load()
        return _upright(to_rgb(image), image)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything inside a decoder
        raise _damaged(error) from error


def _opened(raw: bytes) -> Image.Image:
    if not raw:
        raise BadItemError("the file is empty")
    try:
        return Image.open(io.BytesIO(raw), formats=formats())
    except UnidentifiedImageError as error:
        raise _not_an_image(raw) from error
    except Image.DecompressionBombError as error:
        _require_size(declared_size(raw))
        raise BadItemError("more pixels than Pillow was told to accept (Image.MAX_IMAGE_PIXELS)") from error
    except MemoryError:
        raise
    except Exception as error:  # some damaged headers fail in ways that Pillow does not expect
        raise _damaged(error) from error


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """Turned as the EXIF of the loaded image says. TIFF is turned by Pillow while loading, and says so no more."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - damaged EXIF raises many things; the picture itself is fine
        return rgb
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def _require_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise BadItemError(f"{width} x {height} pixels is more than {MAX_PIXELS:,}, the most that is decoded")
    if width * height == 0:
        raise BadItemError(f"the image has no pixels: {width} x {height}")
    if max(size) > MAX_RATIO * min(size):
        raise BadItemError(f"{width} x {height} pixels is too thin: one edge is over {MAX_RATIO} times the other")


def _not_an_image(raw: bytes) -> BadItemError:
    known = signature(raw)
    if known == "HEIC":
        return BadItemError("a HEIC photo, which needs the package pillow-heif and its register_heif_opener()")
    if known:
        return BadItemError(f"the image is damaged or cut off: it starts like a {known}, and its header cannot be read")
    return BadItemError(f"not an image: starts with {raw[:16]!r}")


def _damaged(error: Exception) -> BadItemError:
    text = str(error) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return BadItemError("the image is truncated")
    return BadItemError(f"the image is damaged: {text}")
