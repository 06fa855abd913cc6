"""What a sound is without a network: how loud each mel band is over time. The raw-input baseline of sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icecore.data.sound_preprocessing import LogMelPreprocessing
from icecore.data.sounds import Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.clips import Windowed
    from icecore.data.sound_preprocessing import WaveformPreprocessing

_MELS = 64


def sound_summary(front: LogMelPreprocessing | WaveformPreprocessing, windowed: Windowed) -> NDArray[np.float32]:
    """Mean and standard deviation over time of every band of what the network sees, padding left out.

    Bands are the network's own; of samples, 64 in frames of 25 ms. Float32 (2 * bands,).
    """
    if isinstance(front, LogMelPreprocessing):
        frames = [_frames(front, window, length) for window, length in zip(*_both(windowed), strict=True)]
    else:
        bands = _bands(front.rate)
        whole = [Sound(window[:length], front.rate) for window, length in zip(*_both(windowed), strict=True)]
        frames = [bands(sound).windows[0] for sound in whole]
    every = np.concatenate(frames)
    return np.concatenate([every.mean(0), every.std(0)]).astype(np.float32)


def summary_size(front: LogMelPreprocessing | WaveformPreprocessing) -> int:
    """How many numbers a summary has."""
    return 2 * (front.mels if isinstance(front, LogMelPreprocessing) else _MELS)


def _both(windowed: Windowed) -> tuple[tuple[NDArray[np.float32], ...], tuple[int, ...]]:
    return windowed.windows, windowed.lengths


def _frames(front: LogMelPreprocessing, window: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """(frames, mels) of a patch, without padding."""
    names = [axis for axis in front.axes if axis != "channels"]
    plain = window.reshape([size for size, axis in zip(window.shape, front.axes, strict=True) if axis != "channels"])
    return (plain if names == ["frames", "mels"] else plain.T)[:length]


def _bands(rate: int) -> LogMelPreprocessing:
    frame = rate // 40
    return LogMelPreprocessing(
        rate=rate, n_fft=1 << (frame - 1).bit_length(), window_length=frame, hop_length=rate // 100, mels=_MELS
    )
