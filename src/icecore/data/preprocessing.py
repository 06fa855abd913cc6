"""Preprocessing as a value: from a decoded image to the numbers that a network expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from icecore.data.geometry import centre_crop, resized, resized_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pixels = Annotated[int, Field(gt=0, le=65_535)]
Level = Annotated[int, Field(ge=0, le=255)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class ImagePreprocessing(BaseModel):
    """Resize, crop, scale and normalise an RGB image, as torchvision does on PIL images.

    `(pixel * scale - mean) / std`, channel by channel, after the geometry. Equal values do the same and hash the same.

    Attributes:
        type: name and version of this computation; a version never changes its meaning.
        resize: `shortest` edge to `resize_size`, ratio kept; `exact` size, ratio lost; `longest-pad`: the whole image
            within that size, ratio kept, centred and padded with `fill`; None for no resize.
        resize_size: pixels: an edge, or (height, width). An edge means a square for `exact` and `longest-pad`.
        crop: (height, width) of the centre crop, padded with `fill` where the image is smaller; None for none.
        crop_rounding: where the margin is odd: `round` half to even as torchvision, or `floor` as Transformers.
        fill: colour of padding, 0 to 255 for red, green and blue.
        interpolation: Pillow's filter.
        scale: factor on the pixels' 0 to 255.
        mean: to subtract, one number for each channel or one for all.
        std: to divide by, likewise.
        mode: order or kind of channels: `RGB`, `BGR`, or `L` for luma alone.
        channels_last: (height, width, channels) instead of (channels, height, width).

    Example:
        >>> prepare = ImagePreprocessing(resize="shortest", resize_size=256, crop=(224, 224))
        >>> prepare(Image.new("RGB", (640, 480))).shape, prepare.shape
        ((3, 224, 224), (3, 224, 224))
        >>> ImagePreprocessing.model_validate(prepare.value) == prepare
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["image.v1"] = "image.v1"
    resize: Literal["shortest", "exact", "longest-pad"] | None = None
    resize_size: Pixels | tuple[Pixels, Pixels] | None = None
    crop: tuple[Pixels, Pixels] | None = None
    crop_rounding: Literal["round", "floor"] = "round"
    fill: tuple[Level, Level, Level] = (0, 0, 0)
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"] = "bilinear"
    scale: Number = 1 / 255
    mean: tuple[Number, ...] = (0.0, 0.0, 0.0)
    std: tuple[Number, ...] = (1.0, 1.0, 1.0)
    mode: Literal["RGB", "BGR", "L"] = "RGB"
    channels_last: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.resize is None) != (self.resize_size is None):
            raise ValueError("resize and resize_size belong together: give both or neither")
        if self.resize == "shortest" and not isinstance(self.resize_size, int):
            raise ValueError("resize_size is one number of pixels when resize is 'shortest'")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise ValueError(f"{name} holds one number, or one for each of the {self.channels} channels")
        if not all(self.std) or not self.scale:
            raise ValueError("scale and the numbers of std must not be 0")
        return self

    @property
    def value(self) -> dict[str, Any]:
        """JSON form: part of keys and artifacts; `model_validate` reads it back."""
        return self.model_dump(mode="json")

    @property
    def channels(self) -> int:
        """Of the output."""
        return 1 if self.mode == "L" else 3

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Of the output; None where it follows the image's own size."""
        size = self.crop or (None if self.resize == "shortest" else self._box())
        if size is None:
            return None
        return (*size, self.channels) if self.channels_last else (self.channels, *size)

    def seen(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Which part of an image of this (width, height) the output shows: left, top, right, bottom as shares of it,
        below 0 and above 1 where there is padding.

        Example:
            >>> ImagePreprocessing(resize="shortest", resize_size=100, crop=(50, 50)).seen((200, 100))
            (0.375, 0.25, 0.625, 0.75)
        """
        if self.resize is None or self.resize_size is None:
            whole = inner = size
        else:
            whole, inner = resized_sizes(size, self.resize, self.resize_size)
        out = whole if self.crop is None else self.crop[::-1]
        starts = [(have - got) / 2 / own for have, got, own in zip(inner, out, inner, strict=True)]
        ends = [start + got / own for start, got, own in zip(starts, out, inner, strict=True)]
        return starts[0], starts[1], ends[0], ends[1]

    def __call__(self, decoded: Image.Image) -> NDArray[np.float32]:
        """One RGB image of any size -> float32, (channels, height, width), or channels last if so asked."""
        pixels = np.atleast_3d(np.asarray(self._channels(self._cut(decoded))))
        factor, offset = self._affine()
        # Whole planes, in place: ten times as fast as arithmetic along a last axis of three.
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
        values *= factor
        values += offset
        return np.ascontiguousarray(values.transpose(1, 2, 0)) if self.channels_last else values

    def _cut(self, image: Image.Image) -> Image.Image:
        if self.resize is not None and self.resize_size is not None:
            image = resized(image, self.resize, self.resize_size, self.interpolation, self.fill)
        return centre_crop(image, self.crop, self.crop_rounding, self.fill) if self.crop else image

    def _channels(self, image: Image.Image) -> Image.Image:
        if self.mode == "BGR":
            return Image.merge("RGB", image.split()[::-1])
        return image.convert(self.mode)

    def _affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Factor and offset for each channel, (channels or 1, 1, 1), in double precision until the last step."""
        mean, std = np.array(self.mean)[:, None, None], np.array(self.std)[:, None, None]
        return (self.scale / std).astype(np.float32), (-mean / std).astype(np.float32)

    def _box(self) -> tuple[int, int] | None:
        return (self.resize_size, self.resize_size) if isinstance(self.resize_size, int) else self.resize_size
