"""Sounds from formulas: tones, voices, bells, engines, waters, grains, calls, and rooms around them.

Each kind draws its own parameters, so that hardly two sounds are alike. What it is called says what it was modelled on,
not what it is: the teacher is asked what it hears. Sources: additive, subtractive, frequency-modulation (Chowning 1973)
and modal synthesis, source-filter voices (Fant 1960), granular textures (Roads 1988), and rooms of decaying noise
(Moorer 1979).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

Sound = NDArray[np.float64]
Rng = np.random.Generator

RATE = 16_000


def draw(rng: Rng, samples: int) -> Sound:
    """One sound of one to three sources, some of them in a room. (samples,), peak at most 1."""
    sound = np.zeros(samples)
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])):
        kind = KINDS[rng.integers(len(KINDS))]
        source = _levelled(kind(rng, samples))
        sound += source * 10 ** rng.uniform(-1, 0)
    if rng.random() < 0.5:
        sound = room(rng, sound)
    if rng.random() < 0.5:
        sound = tilted(rng, sound)
    if rng.random() < 0.5:
        sound = _levelled(sound) + rng.normal(0, 10 ** rng.uniform(-3.5, -1), samples)
    return _levelled(sound) * 10 ** rng.uniform(-2, 0)


def tone(rng: Rng, samples: int) -> Sound:
    """Partials of a gliding or trembling pitch: flutes, strings, whistles, sirens."""
    pitch = _pitch(rng, samples, 10 ** rng.uniform(1.7, 3.5))
    return _partials(rng, pitch, rng.integers(1, 20), rng.uniform(0.3, 3)) * _envelope(rng, samples)


def voice(rng: Rng, samples: int) -> Sound:
    """A buzzing or breathing source through moving resonances: speech, cries, animals."""
    sound = np.zeros(samples)
    for begin, end in _events(rng, samples, rng.uniform(1, 8), 10 ** rng.uniform(-1.2, 0)):
        n = end - begin
        pitch = _pitch(rng, n, 10 ** rng.uniform(1.9, 2.9))
        breath = rng.uniform(0, 1) ** 2
        source = (1 - breath) * _partials(rng, pitch, 40, 1.0) + breath * rng.normal(0, 1, n)
        size = rng.uniform(0.6, 2.0)
        for centre in (rng.uniform(250, 900), rng.uniform(800, 2500), rng.uniform(2200, 3600)):
            source = source + 2 * _resonance(source, centre * size, rng.uniform(60, 300))
        sound[begin:end] += _levelled(source) * _hump(rng, n) * rng.uniform(0.3, 1)
    return sound


def bell(rng: Rng, samples: int) -> Sound:
    """Struck things: decaying partials that need not be harmonic."""
    sound = np.zeros(samples)
    time = np.arange(samples) / RATE
    partials = 10 ** rng.uniform(2, 3.7, rng.integers(1, 12))
    decays = 10 ** rng.uniform(-2.2, 0.3, len(partials))
    for begin, _ in _events(rng, samples, rng.uniform(0.5, 12), 1):
        rest = time[: samples - begin]
        ring = sum(np.sin(2 * np.pi * f * rest) * np.exp(-rest / d) for f, d in zip(partials, decays, strict=True))
        sound[begin:] += np.asarray(ring) * rng.uniform(0.2, 1)
    return sound


def modulated(rng: Rng, samples: int) -> Sound:
    """Frequency modulation: brass, gongs, alarms, machines."""
    carrier = _pitch(rng, samples, 10 ** rng.uniform(2, 3.4))
    ratio = rng.choice([0.5, 1, 1.41, 2, 3, rng.uniform(0.1, 5)])
    depth = rng.uniform(0.5, 12) * _envelope(rng, samples)
    phase = _phase(carrier)
    return np.sin(phase + depth * np.sin(ratio * phase)) * _envelope(rng, samples)


def engine(rng: Rng, samples: int) -> Sound:
    """Regular bursts at a low rate, with noise: motors, helicopters, saws, purring."""
    pitch = _pitch(rng, samples, 10 ** rng.uniform(0.8, 2.2))
    pulse = (0.5 + 0.5 * np.sin(_phase(pitch))) ** rng.uniform(1, 20)
    body = rng.uniform(0, 1) * coloured(rng, samples) + rng.uniform(0, 1) * _partials(rng, pitch * 2, 30, 0.8)
    return body * (rng.uniform(0, 0.6) + pulse)


def coloured(rng: Rng, samples: int) -> Sound:
    """Noise of a random spectrum: wind, hiss, fans."""
    spectrum = np.fft.rfft(rng.normal(0, 1, samples))
    knots = np.interp(np.linspace(0, 1, len(spectrum)) ** 0.5, np.linspace(0, 1, 8), rng.uniform(-3, 0, 8))
    return np.fft.irfft(spectrum * 10**knots, samples)


def waves(rng: Rng, samples: int) -> Sound:
    """Coloured noise that swells: surf, traffic, breath, applause."""
    slow = np.interp(np.arange(samples), np.linspace(0, samples, 12), rng.uniform(0, 1, 12) ** 2)
    return coloured(rng, samples) * (slow + rng.uniform(0, 0.3))


def grains(rng: Rng, samples: int) -> Sound:
    """Many short random events: rain, fire, rustling, typing, footsteps."""
    sound = np.zeros(samples)
    count = int(10 ** rng.uniform(0.5, 3.2) * samples / RATE) + 1
    places = rng.integers(0, samples, count)
    np.add.at(sound, places, rng.normal(0, 1, count) * rng.pareto(rng.uniform(1, 4), count))
    length = int(RATE * 10 ** rng.uniform(-3.3, -1.3)) + 2
    shape = rng.normal(0, 1, length) * np.exp(-np.arange(length) / (length / 4))
    if rng.random() < 0.5:
        shape = shape * np.sin(2 * np.pi * 10 ** rng.uniform(2, 3.8) * np.arange(length) / RATE)
    return fftconvolve(np.clip(sound, -20, 20), shape)[:samples]


def ticks(rng: Rng, samples: int) -> Sound:
    """One short sound again and again in time: clocks, hammers, drums."""
    sound = np.zeros(samples)
    step = int(RATE / 10 ** rng.uniform(0, 1.4))
    sound[rng.integers(0, step) :: step] = 1
    length = int(RATE * 10 ** rng.uniform(-2.7, -0.7)) + 2
    decay = np.exp(-np.arange(length) / (length / 5))
    shape = coloured(rng, length) * decay if rng.random() < 0.5 else bell(rng, length) * decay
    return fftconvolve(sound, _levelled(shape))[:samples]


def call(rng: Rng, samples: int) -> Sound:
    """Short whistled sweeps in groups: birds, insects, frogs."""
    sound = np.zeros(samples)
    low, span = 10 ** rng.uniform(2.6, 3.7), rng.uniform(-1, 1)
    bend = rng.uniform(0.3, 3)
    for begin, end in _events(rng, samples, 10 ** rng.uniform(0.3, 1.6), 10 ** rng.uniform(-1.7, -0.6)):
        n = end - begin
        path = np.clip(low * 2 ** (span * np.linspace(0, 1, n) ** bend), 20, 7800)
        sound[begin:end] += _partials(rng, path, rng.integers(1, 5), 2) * np.hanning(n)
    return sound


def melody(rng: Rng, samples: int) -> Sound:
    """Notes and chords of one timbre over a beat: music."""
    sound = np.zeros(samples)
    scale = 110 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19, 24]) / 12 + rng.uniform(0, 2))
    count, slope = int(rng.integers(2, 12)), rng.uniform(0.5, 2.5)
    for begin, end in _events(rng, samples, rng.uniform(2, 10), rng.uniform(0.1, 0.6)):
        n = end - begin
        for pitch in rng.choice(scale, rng.integers(1, 4)):
            sound[begin:end] += _partials(rng, np.full(n, pitch), count, slope) * np.exp(-np.arange(n) / (n / 3))
    return sound


KINDS: tuple[Callable[[Rng, int], Sound], ...] = (
    tone, voice, voice, bell, modulated, engine, coloured, waves, grains, grains, ticks, call, melody,
)  # fmt: skip


def room(rng: Rng, sound: Sound) -> Sound:
    """With echoes: decaying noise, darker as it decays."""
    length = int(RATE * 10 ** rng.uniform(-1.3, -0.1))
    tail = rng.normal(0, 1, length) * np.exp(-np.arange(length) / (length / 5))
    tail = lfilter([1], [1, -rng.uniform(0, 0.8)], tail)
    wet = _levelled(fftconvolve(sound, tail)[: len(sound)])
    return _levelled(sound) + rng.uniform(0.1, 1) * wet


def tilted(rng: Rng, sound: Sound) -> Sound:
    """Darker or brighter, as by distance or a small loudspeaker."""
    pole = rng.uniform(-0.8, 0.9)
    return np.asarray(lfilter([1], [1, -pole], sound))


def _levelled(sound: Sound) -> Sound:
    peak = np.abs(sound).max(initial=0)
    return sound / peak if peak > 0 else sound


def _phase(pitch: Sound) -> Sound:
    return 2 * np.pi * np.cumsum(pitch) / RATE


def _pitch(rng: Rng, samples: int, start: float) -> Sound:
    """Hertz at each sample: steady, gliding, wandering or trembling. (samples,)."""
    time = np.linspace(0, samples / RATE, samples)
    octaves = np.zeros(samples)
    if rng.random() < 0.5:
        knots = rng.normal(0, rng.uniform(0, 0.6), rng.integers(2, 6))
        octaves += np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(knots)), knots)
    if rng.random() < 0.4:
        octaves += rng.uniform(0, 0.15) * np.sin(2 * np.pi * rng.uniform(0.5, 12) * time)
    return np.clip(start * 2**octaves, 5, 7800)


def _partials(rng: Rng, pitch: Sound, count: int, slope: float) -> Sound:
    """Harmonics of a pitch that fall by a power of their number, as far as they can be heard at this rate."""
    count = int(min(count, max(1, 7800 // pitch.max(initial=1))))
    phase = _phase(pitch)
    levels = np.arange(1.0, count + 1) ** -slope * rng.uniform(0.2, 1, count)
    sound = np.zeros(len(pitch))
    for number, level in enumerate(levels, 1):
        sound += level * np.sin(number * phase)
    return sound


def _resonance(source: Sound, centre: float, width: float) -> Sound:
    radius = np.exp(-np.pi * width / RATE)
    angle = 2 * np.pi * min(centre, 7500) / RATE
    return np.asarray(lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], source))


def _envelope(rng: Rng, samples: int) -> Sound:
    """Steady, struck, swelling or pulsing. (samples,), 0 to 1."""
    time = np.linspace(0, 1, samples)
    shapes = (
        np.ones(samples),
        np.exp(-time * rng.uniform(1, 20)),
        time ** rng.uniform(0.3, 3),
        (0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 20) * time)) ** rng.uniform(0.5, 6),
    )
    return shapes[rng.integers(len(shapes))]


def _hump(rng: Rng, samples: int) -> Sound:
    time = np.linspace(0, 1, samples)
    return (time ** rng.uniform(0.2, 2)) * (1 - time) ** rng.uniform(0.2, 2)


def _events(rng: Rng, samples: int, rate: float, seconds: float) -> list[tuple[int, int]]:
    """Begin and end of events at a mean rate a second; at least one."""
    count = max(1, rng.poisson(rate * samples / RATE))
    begins = np.sort(rng.integers(0, max(1, samples - 64), count))
    lengths = np.maximum(64, RATE * seconds * rng.uniform(0.5, 1.5, count)).astype(int)
    return [(int(b), int(min(samples, b + n))) for b, n in zip(begins, lengths, strict=True)]
