"""Front ends of sounds: equal to those of the libraries whose networks they feed, and whole values."""

import json
import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from icecore.backbones import extras
from icecore.data import LogMelPreprocessing, Sound, WaveformPreprocessing
from icecore.data.mel import hertz_to_mel, mel_filters, mel_to_hertz
from tests.imports import ROOT
from tests.sounds import RATE, sound, tone

YAMNET = LogMelPreprocessing.model_validate(json.loads((ROOT / "examples/yamnet/preprocess.json").read_text("utf-8")))


def _filters(rate, n_fft, mels, fmax, triangles):
    return mel_filters(rate, n_fft, mels, fmin=0.0, fmax=fmax, scale="htk", triangles=triangles, norm=None)


@pytest.fixture(scope="module")
def audio_utils():
    """Transformers' own arithmetic."""
    extras.require("transformers", "hf")
    import transformers.audio_utils as utils

    return utils


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("triangles", ["hertz", "mel"])
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_filters_equal_those_of_transformers(scale, triangles, norm, audio_utils):
    """Every scale, shape and norm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about filters that are empty
        expected = audio_utils.mel_filter_bank(
            257, 40, 50.0, 7600.0, RATE, norm=norm, mel_scale=scale, triangularize_in_mel_space=triangles == "mel"
        )
    found = mel_filters(RATE, 512, 40, fmin=50.0, fmax=7600.0, scale=scale, triangles=triangles, norm=norm)
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_published_points_of_the_scales():
    """1,000 Hz is 1,000 mels of HTK's (to a hundredth), and 15 of Slaney's; both scales can be turned back."""
    assert float(hertz_to_mel(1000.0, "htk")) == pytest.approx(1000, abs=0.02)
    assert float(hertz_to_mel(1000.0, "slaney")) == pytest.approx(15)
    assert float(hertz_to_mel(6400.0, "slaney")) == pytest.approx(42)
    points = np.array([0.0, 440.0, 1000.0, 7000.0])
    for scale in ("htk", "slaney"):
        assert np.allclose(mel_to_hertz(hertz_to_mel(points, scale), scale), points)


def test_spectra_equal_those_of_transformers(audio_utils):
    """Centred or not, with preemphasis and without the mean, any window function and power."""
    samples = tone(0.3)
    for settings in (
        {"centre": "reflect", "power": 1},
        {"centre": "zeros", "window": "hamming"},
        {"remove_mean": True, "preemphasis": 0.97, "periodic": False, "window": "povey"},
    ):
        front = LogMelPreprocessing(rate=RATE, n_fft=512, window_length=400, hop_length=160, mels=40, **settings)
        expected = audio_utils.spectrogram(
            samples,
            audio_utils.window_function(
                400, {"ones": "boxcar"}.get(front.window, front.window), periodic=front.periodic
            ),
            frame_length=400,
            hop_length=160,
            fft_length=512,
            power=front.power,
            center=front.centre is not None,
            pad_mode="reflect" if front.centre == "reflect" else "constant",
            preemphasis=front.preemphasis or None,
            remove_dc_offset=front.remove_mean,
            mel_filters=_filters(RATE, 512, 40, 8000.0, "hertz"),
            log_mel="log",
            mel_floor=1e-10,
        ).T
        (found,) = front(Sound(samples, RATE)).windows
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)


def yamnet_patches(samples):
    """As its authors do it (features.py of AudioSet's YAMNet): pad to whole hops, frame the spectrogram."""
    least, hop = 15600, 7680
    more = max(0, len(samples) - least)
    samples = np.pad(samples, (0, max(0, least - len(samples)) + -(-more // hop) * hop - more))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([samples[i : i + 400] for i in range(0, len(samples) - 399, 160)])
    magnitudes = np.abs(np.fft.rfft(frames * window, 512))
    mels = 1127.0 * np.log1p(np.linspace(0, 8000, 257) / 700.0)
    edges = np.linspace(1127.0 * np.log1p(125 / 700.0), 1127.0 * np.log1p(7500 / 700.0), 66)
    rising = (mels[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels[:, None]) / (edges[2:] - edges[1:-1])
    logs = np.log(magnitudes @ np.maximum(0, np.minimum(rising, falling)) + 0.001)
    return np.stack([logs[i : i + 96] for i in range(0, len(logs) - 95, 48)])


@pytest.mark.parametrize("seconds", [0.3, 0.975, 1.0, 2.2])
def test_yamnet_s_front_end(seconds):
    """The sidecar in `examples` gives the patches that YAMNet was trained on, as many as its authors make."""
    clip = sound(seconds)
    found = YAMNET(clip)
    expected = yamnet_patches(clip.samples.astype(np.float64))
    assert YAMNET.shape == (96, 64)
    assert np.allclose(np.stack(found.windows), expected, atol=1e-5)


def test_efficientat_s_front_end_can_be_said():
    """32 kHz, preemphasis over the clip, 1,024 points, 800 in a window, Kaldi's filters, (log(x + 1e-5) + 4.5) / 5."""
    front = LogMelPreprocessing(
        rate=32000, n_fft=1024, window_length=800, hop_length=320, periodic=False, centre="reflect", preemphasis=0.97,
        preemphasis_on="clip", mels=128, fmax=15000, triangles="mel", offset=1e-5, floor=None, mean=-4.5, std=5.0,
        short="keep", axes=("channels", "mels", "frames"),
    )  # fmt: skip
    clip = sound(1.0, rate=32000)
    (found,) = front(clip).windows
    assert found.shape == (1, 128, 100)
    emphasised = torch.from_numpy(clip.samples[1:] - 0.97 * clip.samples[:-1])
    spectrum = torch.stft(emphasised, 1024, 320, 800, torch.hann_window(800, periodic=False), return_complex=True)
    mels = torch.from_numpy(_filters(32000, 1024, 128, 15000.0, "mel")).float()
    expected = ((mels.T @ spectrum.abs() ** 2 + 1e-5).log() + 4.5) / 5
    assert np.allclose(found[0], expected.numpy(), atol=1e-4)


def test_a_patch_does_not_depend_on_what_follows():
    """The first windows of a long clip are those of its beginning."""
    clip = sound(2.2)
    start = Sound(clip.samples[:15600], RATE)
    assert np.allclose(YAMNET(start).windows[0], YAMNET(clip).windows[0])


def test_windows_of_samples():
    """Longer clips become windows, the last one ending with the clip; shorter ones stay, or are padded with zeros."""
    front = WaveformPreprocessing(rate=RATE, window=3000)
    clip = sound(0.5)
    found = front(clip)
    assert found.lengths == (3000, 3000, 3000)
    assert np.array_equal(found.windows[2], clip.samples[-3000:])
    short = Sound(clip.samples[:1000], RATE)
    assert front(short).lengths == (1000,)
    padded = WaveformPreprocessing(rate=RATE, window=3000, short="pad")(short)
    assert (padded.lengths, padded.windows[0].shape) == ((1000,), (3000,))
    assert not padded.windows[0][1000:].any()


def test_normalised_samples():
    """Mean 0 and variance 1 over the clip."""
    (samples,) = WaveformPreprocessing(rate=RATE, normalise=True)(Sound(tone() * 0.1 + 0.3, RATE)).windows
    assert abs(samples.mean()) < 1e-5
    assert samples.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_resampled(rate):
    """A tone at any rate is the same tone at the network's own."""
    time = np.arange(rate) / rate
    clip = Sound(np.sin(2 * np.pi * 440 * time).astype(np.float32), rate)
    (found,) = WaveformPreprocessing(rate=RATE).__call__(clip).windows
    expected = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert found.shape == (RATE,)
    assert np.abs(found - expected)[200:-200].max() < 1e-3


def test_values_come_back():
    """The JSON form reads back to an equal value; another number is another value."""
    for front in (YAMNET, WaveformPreprocessing(rate=RATE, window=3000, hop=1500)):
        told = json.loads(json.dumps(front.value))
        assert type(front).model_validate(told) == front
        assert type(front).model_validate(told | {"rate": 22050}) != front


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_length": 600}, "window_length must not be more than n_fft"),
        ({"fmax": 9000}, "fmax at most half the rate"),
        ({"fmin": 7600}, "fmin must be below fmax"),
        ({"axes": ["frames"]}, "axes holds 'frames' and 'mels'"),
        ({"patch": None, "patch_hop": 3}, "patch_hop needs a patch"),
        ({"offset": 0}, "a logarithm needs a floor or an offset"),
        ({"std": 0}, "std must not be 0"),
        ({"melz": 3}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    """Each contradiction has its sentence."""
    with pytest.raises(ValidationError, match=message):
        LogMelPreprocessing.model_validate(YAMNET.value | change)


def test_a_hop_needs_a_window():
    """Without a window there is nothing to hop or to pad to."""
    for more in ({"hop": 100}, {"short": "pad"}):
        with pytest.raises(ValidationError, match="need a window"):
            WaveformPreprocessing(rate=RATE, **more)
