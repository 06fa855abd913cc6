"""Sound networks of the user's own: any torch module whose forward takes samples or spectra.

Nothing is known of such a module but its front end. Where that makes windows of one size, the network sees these; else
it sees clips as they are, and only clips of one length share a batch, so that no padding is mixed in.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from torch import nn

from icecore.backbones.fixed_windows import FixedWindows
from icecore.backbones.sequences import SequenceBackbone
from icecore.backbones.sound_windows import SoundWindows, sample_sounds
from icecore.data import LogMelPreprocessing, WaveformPreprocessing, sound_summary
from icecore.errors import BackboneError, PreprocessingError

_SECONDS = 2.0  # of the longer of two sounds that a network for any length is looked at with

Front = LogMelPreprocessing | WaveformPreprocessing


def of_sounds(module: nn.Module, front: Front, **about: Any) -> SequenceBackbone:
    """A module that takes what a front end makes, as its first argument, with a batch axis.

    Raises PreprocessingError where the windows of a clip would differ in length.
    """
    about |= {
        "preprocessing": SoundWindows(front, _argument(module, about["id"])),
        "modality": "sound",
        "raw": partial(sound_summary, front),
        "maps": True,
    }
    window = front.patch if isinstance(front, LogMelPreprocessing) else front.window
    if front.shape is not None and window is not None:
        return FixedWindows(module, frames=(), window=window, samples=sample_sounds(front.rate), **about)
    if window is not None and front.remainder == "keep":
        raise PreprocessingError(
            f"The preprocessing of {about['id']} makes windows of one clip that differ in length.",
            do='Say "short": "pad", or "remainder": "shift" or "drop".',
        )
    samples = sample_sounds(front.rate, min(_SECONDS, _seconds(front, window)))
    return SequenceBackbone(module, axis="frames", mask=None, equal_lengths=True, samples=samples, **about)


def _seconds(front: Front, window: int | None) -> float:
    """Of a window."""
    if window is None:
        return _SECONDS
    return window * (front.hop_length if isinstance(front, LogMelPreprocessing) else 1) / front.rate


def _argument(module: nn.Module, name: str) -> str:
    """What the forward calls its first argument."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [each.name for each in inspect.signature(module.forward).parameters.values() if each.kind in kinds]
    if not named:
        raise BackboneError(
            f"The forward of {name} has no argument with a name.", expected="forward(self, x), with the batch as x."
        )
    return named[0]
