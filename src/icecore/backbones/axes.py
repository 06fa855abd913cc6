"""What each axis of an activation is, so that pooling never guesses."""

from __future__ import annotations

import math
import re

from torch import nn

_FIRST, _LAST = ("channels", "height", "width"), ("height", "width", "channels")
_CHANNELS_FIRST_2D = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.GroupNorm)
_CHANNELS_FIRST_1D = (nn.Conv1d, nn.BatchNorm1d, nn.GroupNorm, nn.MaxPool1d, nn.AvgPool1d)
_PREFIX = re.compile(r"(^|\.)(cls_token|class_token|class_embedding|cls_tokens|dist_token|reg_token|register_tokens"
                     r"|distillation_token)$")  # fmt: skip


def axes_of(
    shape: tuple[int, ...],
    module: nn.Module | None,
    input_size: tuple[int, ...] = (),
    *,
    channels_last: bool | None = None,
) -> tuple[str, ...]:
    """Names of the axes of one item's activation.

    Args:
        shape: without the batch axis.
        module: the module that gave it, where one did.
        input_size: height and width of the input, for images; tells height and width from channels.
        channels_last: whether the whole network has its channels last; None where that must be seen from shapes.

    Example:
        >>> axes_of((512, 7, 7), None, (224, 224))
        ('channels', 'height', 'width')
        >>> axes_of((7, 7, 512), None, (224, 224))
        ('height', 'width', 'channels')
        >>> axes_of((197, 768), None, (224, 224))
        ('tokens', 'channels')
    """
    if len(shape) == 1:
        return ("channels",)
    if len(shape) == 2:
        return ("channels", "frames") if isinstance(module, _CHANNELS_FIRST_1D) else ("tokens", "channels")
    if len(shape) == 3 and channels_last is not None:
        return _LAST if channels_last else _FIRST
    if len(shape) == 3:
        return _spatial(shape, module, input_size)
    return tuple(f"axis{i}" for i in range(len(shape)))


def special_tokens(module: nn.Module) -> int:
    """How many class, distillation and register tokens a network has.

    timm says it (`num_prefix_tokens`); elsewhere the parameters that hold such tokens are counted.
    """
    declared = getattr(module, "num_prefix_tokens", None)
    if isinstance(declared, int):
        return declared
    found = [value for name, value in module.named_parameters() if _PREFIX.search(name)]
    return sum(value.shape[-2] if value.dim() > 1 else 1 for value in found)


def prefix_tokens(tokens: int, special: int, input_size: tuple[int, ...] = ()) -> int:
    """How many of a layer's leading tokens are no places in the image: all special ones, or none.

    Some networks add their class token late or keep it apart: where the tokens make a whole grid with the ratio of the
    image, and would not without the special ones, none of them is special.

    Example:
        >>> prefix_tokens(197, 1, (224, 224)), prefix_tokens(196, 1, (224, 224))
        (1, 0)
    """
    whole = _is_grid(tokens, input_size) and not _is_grid(tokens - special, input_size)
    return 0 if whole or special >= tokens else special


def image_size(item: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width of one prepared image, channels first or last; empty for anything else.

    Example:
        >>> image_size((3, 224, 192)), image_size((224, 192, 3)), image_size((16000,))
        ((224, 192), (224, 192), ())
    """
    if len(item) != 3:
        return ()
    channels = (1, 3, 4)
    return item[:2] if item[2] in channels and item[0] not in channels else item[1:]


def _is_grid(places: int, input_size: tuple[int, ...]) -> bool:
    """Whether so many places can be the input's height and width after equal strides."""
    if len(input_size) != 2 or places < 1:
        return False
    rows = round(math.sqrt(places * input_size[0] / input_size[1]))
    return rows > 0 and places % rows == 0 and _same_ratio(rows, places // rows, *input_size)


def _spatial(shape: tuple[int, ...], module: nn.Module | None, input_size: tuple[int, ...]) -> tuple[str, ...]:
    if isinstance(module, _CHANNELS_FIRST_2D):
        return _FIRST
    height, width = input_size if len(input_size) == 2 else (1, 1)
    looks_first = _same_ratio(shape[1], shape[2], height, width)
    looks_last = _same_ratio(shape[0], shape[1], height, width)
    if looks_first == looks_last:
        return _LAST if isinstance(module, nn.LayerNorm | nn.Linear) and not looks_first else _FIRST
    return _FIRST if looks_first else _LAST


def _same_ratio(a: int, b: int, height: int, width: int) -> bool:
    """Whether a and b may be the input's height and width after equal strides, with a pixel of rounding."""
    stride = math.sqrt((height / a) * (width / b))
    return abs(height / stride - a) < 1 and abs(width / stride - b) < 1 and (a == b) == (height == width)
