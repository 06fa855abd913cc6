"""Small sounds, made here."""

import io
from pathlib import Path

import numpy as np
import soundfile

from icecore.data import Sound

RATE = 16000


def tone(seconds=0.5, hertz=440.0, rate=RATE, seed=0):
    """A tone that fades, with a little noise. Float32 (n,)."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return (0.5 * np.sin(2 * np.pi * hertz * time) * np.exp(-time) + noise).astype(np.float32)


def sound(seconds=0.5, hertz=440.0, rate=RATE, seed=0):
    """The same, decoded."""
    return Sound(tone(seconds, hertz, rate, seed), rate)


def encoded(samples, rate=RATE, form="WAV", subtype=None):
    """The content of a sound file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def write_tones(folder: Path, *, each=6, seconds=0.4, kinds=("low", "high")):
    """Class folders of low and high tones in WAV files, no two alike. Returns the folder."""
    hertz = {"low": 300.0, "high": 2500.0, "middle": 900.0}
    for number, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            samples = tone(seconds, hertz[kind] * (1 + i / 50), seed=100 * number + i)
            (folder / kind / f"{i}.wav").write_bytes(encoded(samples))
    return folder
