"""Sounds as arguments of a network's forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from icecore.backbones.sequences import Window, Windows
from icecore.data import LogMelPreprocessing, Sound, WaveformPreprocessing


class SoundWindows:
    """A front end whose windows come as arguments of the network's forward."""

    def __init__(self, front: LogMelPreprocessing | WaveformPreprocessing, argument: str) -> None:
        self._front, self._argument = front, argument

    @property
    def value(self) -> dict[str, Any]:
        """The front end's."""
        return self._front.value

    def __call__(self, decoded: Sound) -> Windows:
        """One sound to windows of samples or spectra."""
        made = self._front(decoded)
        pairs = zip(made.windows, made.lengths, strict=True)
        windows = (Window({self._argument: torch.from_numpy(values)}, length) for values, length in pairs)
        return Windows(tuple(windows), made)


def sample_sounds(rate: int, seconds: float = 0.25) -> tuple[Sound, Sound]:
    """Noise of half as many seconds and of so many, for a network to be looked at."""
    noise = np.random.default_rng(0).normal(0, 0.1, int(rate * seconds)).astype(np.float32)
    return Sound(noise[: len(noise) // 2], rate), Sound(noise, rate)
