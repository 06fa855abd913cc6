"""Preprocessing of sounds as values: from a decoded sound to the windows of numbers that a network expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from icecore.data.clips import Quality, Remainder, Windowed, cut, padded, resampled
from icecore.data.mel import Centre, MelScale, mel_filters, spectra, window_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.sounds import Sound

Rate = Annotated[int, Field(ge=100, le=1_000_000)]
Count = Annotated[int, Field(gt=0, le=1 << 28)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Axis = Literal["channels", "frames", "mels"]

_LEAST_VARIANCE = 1e-7


class WaveformPreprocessing(BaseModel):
    """Resample, normalise and window a sound, for networks that take samples. Equal values do the same.

    Attributes:
        type: name and version of this computation; a version never changes its meaning.
        rate: samples a second that the network expects.
        quality: soxr's recipe for resampling.
        normalise: give the clip mean 0 and variance 1 (plus 1e-7, as Transformers does).
        window: samples that the network sees at once; longer clips become several windows. None for any number.
        hop: samples from one window to the next; the window where None.
        short: a window with fewer samples is kept as it is, or padded with zeros.
        remainder: see `icecore.data.clips.cut`.

    Example:
        >>> from icecore.data import Sound
        >>> clip = Sound(np.ones(5, np.float32), 16000)
        >>> WaveformPreprocessing(rate=16000, window=4, short="pad", remainder="keep")(clip).lengths
        (4, 1)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["waveform.v1"] = "waveform.v1"
    rate: Rate
    quality: Quality = "HQ"
    normalise: bool = False
    window: Count | None = None
    hop: Count | None = None
    short: Literal["keep", "pad"] = "keep"
    remainder: Remainder = "shift"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window is None and (self.hop is not None or self.short == "pad"):
            raise ValueError("hop and short='pad' need a window")
        return self

    @property
    def value(self) -> dict[str, Any]:
        """JSON form: part of keys and artifacts; `model_validate` reads it back."""
        return self.model_dump(mode="json")

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of one window; None where it follows the clip's length."""
        return (self.window,) if self.window is not None and self.short == "pad" else None

    def __call__(self, decoded: Sound) -> Windowed:
        """One sound -> windows of samples, float32 (samples,) each."""
        samples = resampled(decoded, self.rate, self.quality)
        if self.normalise:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + _LEAST_VARIANCE)
        window = self.window or len(samples)
        parts = cut(samples, window, self.hop or window, self.remainder)
        shown = [padded(part, window) for part in parts] if self.short == "pad" else parts
        return Windowed(tuple(np.ascontiguousarray(part, np.float32) for part in shown), tuple(map(len, parts)))


class LogMelPreprocessing(BaseModel):
    """Spectra on the mel scale, in patches, for networks that take spectrograms. Equal values do the same.

    `(log(max(mel + offset, floor)) - mean) / std` of windowed, short-time Fourier transforms.

    Attributes:
        type: name and version of this computation; a version never changes its meaning.
        rate: samples a second; others are resampled.
        quality: soxr's recipe for it.
        n_fft: points of the Fourier transform; frames are followed by zeros up to it.
        window_length: samples in a frame.
        hop_length: samples from one frame to the next.
        window: weights on a frame; `povey` is Kaldi's.
        periodic: whether the window function has one more point, which is left out.
        centre: frame t is centred on sample t * hop_length, the clip `reflect`-ed at its ends or in `zeros`; None: it
            starts there.
        remove_mean: of the samples of each frame.
        preemphasis: each sample less this times the one before.
        preemphasis_on: every `frame` by itself, or the whole `clip`, which loses its first sample.
        power: 1 for magnitudes, 2 for their squares.
        mels: number of filters.
        fmin: lower edge of the lowest, in Hz.
        fmax: upper edge of the highest; half the rate where None.
        mel_scale: `htk` or `slaney`.
        triangles: whether the sides of filters are straight over `hertz` or over `mel` (Kaldi, TensorFlow).
        norm: `slaney` gives all filters the same area.
        log: `ln`, `log10`, or None.
        offset: added before the logarithm.
        floor: the least that goes into it.
        dynamic_range: below the greatest value of a window by more than this, values are raised to it.
        mean: to subtract in the end.
        std: to divide by.
        patch: frames that the network sees at once; longer clips become several patches. None for any number.
        patch_hop: frames from one patch to the next; the patch where None.
        short: a patch with too few frames is kept, completed by zeros after the samples (`pad`), or by frames of zeros
            before mean and std (`pad-frames`).
        remainder: see `icecore.data.clips.cut`.
        axes: order of the output's axes; `channels` is one.

    Example:
        >>> from icecore.data import Sound
        >>> front = LogMelPreprocessing(rate=16000, n_fft=512, window_length=400, hop_length=160, mels=64, patch=96)
        >>> [patch.shape for patch in front(Sound(np.ones(20000, np.float32), 16000)).windows]
        [(96, 64), (96, 64)]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["logmel.v1"] = "logmel.v1"
    rate: Rate
    quality: Quality = "HQ"
    n_fft: Count
    window_length: Count
    hop_length: Count
    window: Literal["hann", "hamming", "povey", "blackman", "ones"] = "hann"
    periodic: bool = True
    centre: Centre | None = None
    remove_mean: bool = False
    preemphasis: Number = 0.0
    preemphasis_on: Literal["frame", "clip"] = "frame"
    power: Literal[1, 2] = 2
    mels: Count
    fmin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    fmax: Positive | None = None
    mel_scale: MelScale = "htk"
    triangles: Literal["hertz", "mel"] = "hertz"
    norm: Literal["slaney"] | None = None
    log: Literal["ln", "log10"] | None = "ln"
    offset: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    floor: Positive | None = 1e-10
    dynamic_range: Positive | None = None
    mean: Number = 0.0
    std: Number = 1.0
    patch: Count | None = None
    patch_hop: Count | None = None
    short: Literal["keep", "pad", "pad-frames"] = "pad"
    remainder: Remainder = "keep"
    axes: tuple[Axis, ...] = ("frames", "mels")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window_length > self.n_fft:
            raise ValueError("window_length must not be more than n_fft")
        if not self.fmin < self._top <= self.rate / 2:
            raise ValueError("fmin must be below fmax, and fmax at most half the rate")
        if sorted(set(self.axes) - {"channels"}) != ["frames", "mels"] or len(set(self.axes)) != len(self.axes):
            raise ValueError("axes holds 'frames' and 'mels', and 'channels' if there is to be such an axis, each once")
        if self.patch_hop is not None and self.patch is None:
            raise ValueError("patch_hop needs a patch")
        if self.log is not None and self.floor is None and not self.offset:
            raise ValueError("a logarithm needs a floor or an offset above 0")
        if not self.std:
            raise ValueError("std must not be 0")
        return self

    @property
    def value(self) -> dict[str, Any]:
        """JSON form: part of keys and artifacts; `model_validate` reads it back."""
        return self.model_dump(mode="json")

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of one patch; None where it follows the clip's length."""
        if self.patch is None or self.short == "keep":
            return None
        sizes = {"channels": 1, "frames": self.patch, "mels": self.mels}
        return tuple(sizes[axis] for axis in self.axes)

    def __call__(self, decoded: Sound) -> Windowed:
        """One sound -> patches, float32, with their axes in the order of `axes`."""
        samples = resampled(decoded, self.rate, self.quality)
        if self.preemphasis_on == "clip" and self.preemphasis:
            samples = samples[1:] - self.preemphasis * samples[:-1]
        if self.patch is None:
            parts = [samples]
        else:
            window = self._samples(self.patch)
            parts = cut(samples, window, (self.patch_hop or self.patch) * self.hop_length, self.remainder)
        made = [self._patch(part) for part in parts]
        return Windowed(tuple(patch for patch, _ in made), tuple(length for _, length in made))

    def _samples(self, frames: int) -> int:
        """How many samples a patch is made of: with centred frames whole hops, else up to the end of the last."""
        return frames * self.hop_length if self.centre else (frames - 1) * self.hop_length + self.window_length

    def _patch(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        """A patch, and how many of its frames hold samples of the clip: all, where none is completed."""
        held = self._frames(len(samples))
        least = self._samples(self.patch) if self.patch and self.short == "pad" else self.window_length
        values = self._logs(padded(samples, least))
        if self.patch is not None and self.short == "pad-frames":
            values = padded(values, self.patch)
        normal: NDArray[np.float32] = ((values - self.mean) / self.std).astype(np.float32)
        return self._laid_out(normal), len(values) if self.shape is None else min(held, len(values))

    def _frames(self, samples: int) -> int:
        """Frames that hold samples of the clip, the last one perhaps in part."""
        beyond = 0 if self.centre else self.window_length - self.hop_length
        return max(1, -(-(samples - beyond) // self.hop_length))

    def _logs(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """(frames, mels); centred frames end beyond the samples, so that there may be one more than a patch has."""
        magnitudes = spectra(
            samples,
            window=window_weights(self.window, self.window_length, periodic=self.periodic),
            hop=self.hop_length,
            n_fft=self.n_fft,
            centre=self.centre,
            remove_mean=self.remove_mean,
            preemphasis=self.preemphasis if self.preemphasis_on == "frame" else 0.0,
        )
        values: NDArray[np.float64] = magnitudes[: self.patch] ** self.power @ self._filters() + self.offset
        if self.floor is not None:
            values = np.maximum(values, self.floor)
        if self.log is not None:
            values = np.log(values) if self.log == "ln" else np.log10(values)
        return values if self.dynamic_range is None else np.maximum(values, values.max() - self.dynamic_range)

    def _filters(self) -> NDArray[np.float64]:
        return mel_filters(
            self.rate, self.n_fft, self.mels, fmin=self.fmin, fmax=self._top,
            scale=self.mel_scale, triangles=self.triangles, norm=self.norm,
        )  # fmt: skip

    def _laid_out(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        names = [axis for axis in self.axes if axis != "channels"]
        values = values if names == ["frames", "mels"] else values.T
        if "channels" in self.axes:
            values = np.expand_dims(values, self.axes.index("channels"))
        return np.ascontiguousarray(values)

    @property
    def _top(self) -> float:
        return self.rate / 2 if self.fmax is None else self.fmax
