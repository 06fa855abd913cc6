"""Extractors that take single windows serve whole sounds: their features are means over windows."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from icecore.backbones import Layer, Licence, load, no_such_layer
from icecore.backbones.fixed_windows import WindowedGraph, over_windows
from icecore.data import LogMelPreprocessing, Sound, WaveformPreprocessing
from icecore.testing import check_backbone
from tests.sounds import RATE, sound, tone

SAMPLES = WaveformPreprocessing(rate=RATE, window=1000, short="pad", remainder="keep")
SPECTRA = LogMelPreprocessing(rate=RATE, n_fft=512, window_length=400, hop_length=160, mels=20, patch=10)


class Graph(SimpleNamespace):
    """Stands for a graph in a file: the mean of each window and its square."""

    def __init__(self, front) -> None:
        super().__init__(
            id="graph", provider="graph.v1", modality="sound", preprocessing=front, licence=Licence(), source="",
            notes=(), architecture={}, seen=[],
        )  # fmt: skip

    def to(self, device):
        return self

    def layers(self):
        layers = {"input": Layer("input", self.preprocessing.shape, ("axis0",) * len(self.preprocessing.shape))}
        return layers | {name: Layer(name, (2,), ("channels",)) for name in ("inner", "last")}

    def weights_digest(self, layer):
        return layer

    def run(self, batch, layers, reduce):
        if unknown := [name for name in layers if name not in self.layers()]:
            raise no_such_layer(self, unknown[0])
        self.seen.append(len(batch))
        values = torch.stack([torch.from_numpy(window).flatten() for window in batch])
        both = torch.stack([values.mean(1), values.square().mean(1)], 1)
        return {name: reduce(self.layers()[name], both) for name in layers}


@pytest.mark.parametrize("front", [SAMPLES, SPECTRA])
def test_it_conforms(front):
    """Sounds of other lengths share a batch, and each is what it is alone."""
    clips = [sound(seconds, seed=i) for i, seconds in enumerate((0.2, 0.03, 0.41))]
    check_backbone(over_windows(Graph(front)), clips, again=over_windows(Graph(front)))


def test_a_feature_is_the_mean_over_windows():
    """Of every window, the completed one by the samples that are its own; many go through a number at a time."""
    net = over_windows(Graph(SAMPLES))
    samples = tone(4.1)
    found = net.run([net.prepare(Sound(samples, RATE))], ["last"], lambda _, value: value)["last"]
    assert len(samples) == 65_600
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (0, 400)).view(66, 1000)
    each = torch.stack([padded.mean(1), padded.square().mean(1)], 1)
    shares = torch.tensor([1000.0] * 65 + [600.0])[:, None] / 65_600
    assert torch.allclose(found[0], (each * shares).sum(0), atol=1e-6)
    assert net.seen == [32, 32, 2]


def test_silence_that_completes_a_window_hardly_counts():
    """A clip of one window and a few samples is nearly that window; alone, the few samples are all there is."""
    net = over_windows(Graph(SAMPLES))
    ones, few = np.ones(1000, np.float32), np.full(10, 0.5, np.float32)
    found = net.run(
        [net.prepare(Sound(samples, RATE)) for samples in (np.concatenate([ones, few]), ones, few)],
        ["last"],
        lambda _, value: value[:, 0],
    )["last"]
    assert torch.allclose(found, torch.tensor([(1000 + 0.005 * 10) / 1010, 1.0, 0.005]), atol=1e-6)


def test_the_rule_for_windows_is_in_the_key():
    """Rows that were made by another rule are not taken for these."""
    assert over_windows(Graph(SAMPLES)).architecture == {"windows": "by-length.v1"}
    assert load("icecore:audio-s", device="cpu").architecture == {"name": "audio-s", "windows": "by-length.v1"}


def test_others_are_left_as_they_are():
    """What takes images, and what takes whole sounds already."""
    windowed = over_windows(Graph(SAMPLES))
    assert isinstance(windowed, WindowedGraph)
    assert over_windows(windowed) is windowed
    images = SimpleNamespace(modality="image")
    assert over_windows(images) is images
