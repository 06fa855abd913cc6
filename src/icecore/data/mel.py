"""Mel arithmetic: short spectra of a signal, and triangular filters on the mel scale."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MelScale = Literal["htk", "slaney"]
Centre = Literal["reflect", "zeros"]

_BREAK, _STEP = 1000.0, 200.0 / 3  # Slaney's scale is linear below 1,000 Hz, logarithmic above
_LOG_STEP = np.log(6.4) / 27
_FRAMES = 4096  # transformed at a time, so that memory does not follow the length of the clip


def hertz_to_mel(hertz: NDArray[Any] | float, scale: MelScale) -> NDArray[np.float64]:
    """Mels: 2595 log10(1 + f / 700) for `htk`; for `slaney` those of Slaney's Auditory Toolbox (1998)."""
    f = np.asarray(hertz, np.float64)
    if scale == "htk":
        mels: NDArray[np.float64] = 2595.0 * np.log10(1.0 + f / 700.0)
        return mels
    linear, log = f / _STEP, _BREAK / _STEP + np.log(np.maximum(f, _BREAK) / _BREAK) / _LOG_STEP
    return np.where(f < _BREAK, linear, log)


def mel_to_hertz(mels: NDArray[Any] | float, scale: MelScale) -> NDArray[np.float64]:
    """The inverse of `hertz_to_mel`."""
    m = np.asarray(mels, np.float64)
    if scale == "htk":
        hertz: NDArray[np.float64] = 700.0 * (10.0 ** (m / 2595.0) - 1.0)
        return hertz
    return np.where(m < _BREAK / _STEP, m * _STEP, _BREAK * np.exp(_LOG_STEP * (m - _BREAK / _STEP)))


@cache
def mel_filters(
    rate: int,
    n_fft: int,
    mels: int,
    *,
    fmin: float,
    fmax: float,
    scale: MelScale,
    triangles: Literal["hertz", "mel"],
    norm: Literal["slaney"] | None,
) -> NDArray[np.float64]:
    """Triangular filters whose edges are evenly spaced in mels. (n_fft // 2 + 1, mels).

    Args:
        rate: samples a second.
        n_fft: points of the Fourier transform.
        mels: number of filters.
        fmin: lower edge of the first, in Hz.
        fmax: upper edge of the last, in Hz.
        scale: of the mels.
        triangles: whether the sides of a filter are straight over hertz or over mels (Kaldi, TensorFlow).
        norm: `slaney` gives all filters the same area over that axis.
    """
    edges = np.linspace(hertz_to_mel(fmin, scale), hertz_to_mel(fmax, scale), mels + 2)
    bins = np.linspace(0.0, rate / 2, n_fft // 2 + 1)
    at, to = (hertz_to_mel(bins, scale), edges) if triangles == "mel" else (bins, mel_to_hertz(edges, scale))
    rising = (at[:, None] - to[:-2]) / np.diff(to)[:-1]
    falling = (to[2:] - at[:, None]) / np.diff(to)[1:]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return filters * (2.0 / (to[2:] - to[:-2])) if norm == "slaney" else filters


def spectra(
    samples: NDArray[Any],
    *,
    window: NDArray[np.float64],
    hop: int,
    n_fft: int,
    centre: Centre | None,
    remove_mean: bool,
    preemphasis: float,
) -> NDArray[np.float64]:
    """Magnitudes of the Fourier transform of frames. (frames, n_fft // 2 + 1).

    Args:
        samples: at least as many as the window has, shape (n,).
        window: weights on the samples of a frame.
        hop: samples from one frame to the next.
        n_fft: points of the transform.
        centre: let frame t be centred on sample t * hop, with the clip reflected or zeros at its ends.
        remove_mean: from every frame.
        preemphasis: of every frame: each sample less this times the one before; the first stands before itself.
    """
    signal = np.asarray(samples, np.float64)
    if centre is not None:
        half = len(window) // 2
        signal = np.pad(signal, half, mode="reflect" if centre == "reflect" else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(signal, len(window))[::hop]
    parts = []
    for start in range(0, len(frames), _FRAMES):
        part = frames[start : start + _FRAMES].copy()
        if remove_mean:
            part -= part.mean(1, keepdims=True)
        if preemphasis:
            part -= preemphasis * np.concatenate([part[:, :1], part[:, :-1]], axis=1)
        parts.append(np.abs(np.fft.rfft(part * window, n_fft)))
    return np.concatenate(parts)


def window_weights(name: str, length: int, *, periodic: bool) -> NDArray[np.float64]:
    """Weights of a window function: `hann`, `hamming`, `povey` (Hann to the power of 0.85), `blackman`, `ones`."""
    points = length + 1 if periodic else length
    functions: dict[str, Callable[[int], NDArray[Any]]] = {
        "hann": np.hanning,
        "hamming": np.hamming,
        "povey": lambda n: np.hanning(n) ** 0.85,
        "blackman": np.blackman,
        "ones": np.ones,
    }
    return np.asarray(functions[name](points)[:length], np.float64)
