"""Decoding: a file's bytes, or samples in memory with their rate -> one channel of float32 samples and its rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import keys
from icecore.data.sound_files import MAX_SAMPLES, read_sound, remark_channels
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATES = (100, 10_000_000)
_LOUDEST = 16.0  # of floats: headroom over full scale, below any integers that were cast to float
_MOST_CHANNELS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A decoded sound.

    Attributes:
        samples: one channel, float32, full scale from -1 to 1, shape (n,).
        rate: samples a second.
    """

    samples: NDArray[np.float32]
    rate: int

    @property
    def row(self) -> bytes:
        """Row key of the samples with their rate. 32 bytes."""
        return keys.row_of_tuple([keys.row_of_array(self.samples), keys.row_of_array(np.array(self.rate, np.int64))])


def decode_sound(source: Any) -> Sound:
    """A sound as one channel; several are averaged.

    Args:
        source: a file's content (WAV, FLAC, Ogg, MP3, AIFF and what else libsndfile reads); a pair (samples, rate); a
            mapping with `array` and `sampling_rate`, or with `bytes`, as Hugging Face data sets give it; or a `Sound`.
            Samples are floats from -1 to 1 or integers that fill their type, (n,), (n, channels) or (channels, n).

    Raises:
        BadItemError: with the reason, for people: empty, truncated, damaged, no sound, silent, not finite, no rate.
        MissingExtraError: the extra `audio` is needed to read a file.

    Example:
        >>> decode_sound((np.array([[8192, 0], [0, 8192]], np.int16), 16000)).samples.tolist()
        [0.125, 0.125]
    """
    if isinstance(source, Sound):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return _checked(*read_sound(bytes(source)))
    if isinstance(source, tuple | list) and len(source) == 2:
        return _checked(mono(source[0]), source[1])
    return _of_record(source)


def mono(samples: Any) -> NDArray[np.float32]:
    """Samples of one channel or several, in any type of numbers, as one channel of float32. Raises BadItemError.

    Of two axes the shorter one is the channels; where they are equal, the second.
    """
    array = _numbers(samples)
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= _MOST_CHANNELS):
        raise _unfit(np.asarray(samples))
    scaled = _full_scale(array)
    if scaled.ndim == 1:
        return scaled
    remark_channels(scaled.shape[1])
    averaged: NDArray[np.float32] = scaled.mean(1)
    return averaged


def _of_record(source: Any) -> Sound:
    """Of a mapping, or of an object that answers like one, as decoders of data sets do."""
    if isinstance(source, Mapping) and source.get("bytes") is not None:
        return decode_sound(source["bytes"])
    if isinstance(source, np.ndarray) or not hasattr(source, "__getitem__"):
        raise _no_rate(source)
    try:
        samples, rate = source["array"], source["sampling_rate"]
    except (KeyError, TypeError, IndexError) as error:
        raise _no_rate(source) from error
    return _checked(mono(samples), rate)


def _no_rate(source: Any) -> BadItemError:
    shape = f" of shape {source.shape}" if isinstance(source, np.ndarray) else ""
    return BadItemError(
        f"a {type(source).__name__}{shape} without a sampling rate is no sound:",
        expected="expected a path, a file's content, a pair (samples, rate) or {'array': ..., 'sampling_rate': ...}",
    )


def _numbers(samples: Any) -> NDArray[Any]:
    try:
        array = np.asarray(samples)
    except (TypeError, ValueError) as error:
        raise BadItemError(f"samples of type {type(samples).__name__} are no array of numbers") from error
    if array.dtype.kind not in "iuf":
        raise _unfit(array)
    return array


def _full_scale(array: NDArray[Any]) -> NDArray[np.float32]:
    """float32 from -1 to 1. Integers fill their type, unsigned ones around its middle."""
    if array.dtype.kind == "f":
        if array.size and np.abs(array).max() > _LOUDEST:  # false for NaN, which is told later
            raise _unfit(array)
        values: NDArray[np.float32] = array.astype(np.float32)
        return values
    half = 2.0 ** (8 * array.dtype.itemsize - 1)
    middle = half if array.dtype.kind == "u" else 0.0
    scaled: NDArray[np.float32] = ((array.astype(np.float64) - middle) / half).astype(np.float32)
    return scaled


def _checked(samples: NDArray[np.float32], rate: Any) -> Sound:
    if not isinstance(rate, int | float | np.integer | np.floating) or not RATES[0] <= rate <= RATES[1]:
        raise BadItemError(f"a sampling rate of {rate!r}: expected from {RATES[0]} to {RATES[1]:,} samples a second")
    if rate != int(rate):
        raise BadItemError(f"a sampling rate of {rate}: expected a whole number of samples a second")
    if not samples.size:
        raise BadItemError("the sound has no samples: its length is zero")
    if samples.size > MAX_SAMPLES:
        raise BadItemError(f"more than {MAX_SAMPLES:,} samples, the most that is decoded")
    if not np.isfinite(samples).all():
        raise BadItemError("the sound holds samples that are not finite (NaN or infinity)")
    if not samples.any():
        raise BadItemError(f"the sound is silent: all of its {samples.size:,} samples are zero")
    return Sound(np.ascontiguousarray(samples), int(rate))


def _unfit(array: NDArray[Any]) -> BadItemError:
    numeric = array.size and array.dtype.kind in "iuf"
    span = f" and values from {array.min():g} to {array.max():g}" if numeric else ""
    return BadItemError(
        f"an array of {array.dtype} with shape {array.shape}{span} is no sound:",
        expected="expected floats from -1 to 1 or integers that fill their type, (n,), (n, channels) or (channels, n)",
    )
