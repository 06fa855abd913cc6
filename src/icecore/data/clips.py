"""Clips: a sound at another rate, cut into the windows that a network sees at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.data.remarks import remark
from icecore.data.sound_files import MAX_SAMPLES
from icecore.errors import BadItemError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.sounds import Sound

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]
Remainder = Literal["keep", "shift", "drop"]


@dataclass(frozen=True, slots=True, eq=False)
class Windowed:
    """What a preprocessing makes of a sound.

    Attributes:
        windows: at least one array, float32.
        lengths: how many steps (samples or frames) of each window are no padding.
    """

    windows: tuple[NDArray[np.float32], ...]
    lengths: tuple[int, ...]


def resampled(sound: Sound, rate: int, quality: Quality) -> NDArray[np.float32]:
    """The samples at another rate, by soxr. Raises BadItemError where they would be too many, or none."""
    if sound.rate == rate:
        return sound.samples
    if sound.samples.size * rate > MAX_SAMPLES * sound.rate:
        raise BadItemError(f"more than {MAX_SAMPLES:,} samples at {rate} Hz, the most that is decoded")
    samples: NDArray[np.float32] = _soxr().resample(sound.samples, sound.rate, rate, quality)
    if not samples.size:
        raise BadItemError(f"too short: of {sound.samples.size} samples at {sound.rate} Hz none is left at {rate} Hz")
    remark(f"were resampled from {sound.rate:,} Hz to {rate:,} Hz")
    return samples


def cut(samples: NDArray[Any], window: int, hop: int, remainder: Remainder) -> list[NDArray[Any]]:
    """Windows of a clip, in order; a clip that is no longer than a window is the only one.

    Args:
        samples: shape (n,).
        window: samples in each.
        hop: samples from the start of one to the start of the next.
        remainder: what is left after the last whole window is kept as a shorter one, is covered by a whole window that
            ends with the clip (`shift`), or is dropped.

    Example:
        >>> clip = np.arange(7)
        >>> [[part.tolist() for part in cut(clip, 3, 3, rule)] for rule in ("keep", "shift", "drop")]
        [[[0, 1, 2], [3, 4, 5], [6]], [[0, 1, 2], [3, 4, 5], [4, 5, 6]], [[0, 1, 2], [3, 4, 5]]]
    """
    n = len(samples)
    if n <= window:
        return [samples]
    starts = list(range(0, n - window + 1, hop))
    if starts[-1] + window < n and remainder != "drop":
        starts.append(n - window if remainder == "shift" else starts[-1] + hop)
    return [samples[start : start + window] for start in starts if start < n]


def padded(samples: NDArray[Any], length: int) -> NDArray[Any]:
    """Followed by zeros up to a length; as they are where they have it. (n, ...) -> (length or n, ...)."""
    missing = length - len(samples)
    if missing <= 0:
        return samples
    return np.concatenate([samples, np.zeros((missing, *samples.shape[1:]), samples.dtype)])


def _soxr() -> Any:
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError(
            f"Resampling sounds needs soxr, which cannot be imported: {error}.",
            do="Install it with: pip install 'icecore[audio]'",
        ) from error
    return soxr
