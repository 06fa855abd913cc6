"""`torch:` and `wrap` with front ends for sound: EfficientAT with real weights, and small networks of every kind."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

import icecore
from icecore.backbones import FREE, load, load_saved, save, wrap
from icecore.data import (
    ArrayPreprocessing,
    LogMelPreprocessing,
    Sound,
    WaveformPreprocessing,
    decode_sound,
    preprocessing_from_file,
)
from icecore.errors import BackboneError, PreprocessingError
from icecore.prefix import Column, column_key, pool
from icecore.testing import check_backbone
from tests.backbones.efficientat import mn
from tests.backbones.networks import close, seeded
from tests.imports import ROOT
from tests.sounds import RATE, sound

FRONT = ROOT / "examples" / "efficientat" / "preprocess.json"
FILE = ROOT / "tests" / "backbones" / "efficientat.py"
MELS = LogMelPreprocessing(rate=RATE, n_fft=512, window_length=400, hop_length=160, mels=20)
CLIPS = [sound(0.5, seed=1), sound(0.3, 900.0, seed=2), sound(0.5, 2000.0, seed=3)]


@pytest.fixture(scope="module")
def weights(assets):
    return assets / "weights" / "efficientat" / "mn04_as_mAP_432.pt"


@pytest.fixture(scope="module")
def net(weights):
    return load(f"torch:{FILE}:mn?weights={weights}", preprocess=preprocessing_from_file(FRONT), device="cpu")


def features(net, clips, layers=("last",)):
    def reduce(layer, value):
        return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")

    return net.run([net.prepare(clip) for clip in clips], list(layers), reduce)


def their_spectrogram(samples):
    """As the authors' AugmentMelSTFT in evaluation: torch.stft, and filters straight over mels, as Kaldi's are."""
    x = torch.from_numpy(samples).double()
    window = torch.hann_window(800, periodic=False).double()
    spectrum = torch.stft(x[1:] - 0.97 * x[:-1], 1024, 320, 800, window, return_complex=True)
    mel = 1127 * torch.log1p(torch.arange(513).double() * 32000 / 1024 / 700)
    edges = torch.linspace(0, 1127 * np.log1p(15000 / 700), 130).double()[:, None]
    rising, falling = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    mels = torch.minimum(rising, falling).clamp(min=0) @ spectrum.abs() ** 2
    return ((mels + 0.00001).log() + 4.5).float() / 5


def test_efficientat_equals_its_own_forward(net, weights):
    """Front end, layers and logits are those of the authors' arithmetic on the same samples."""
    own = mn().eval()
    own.load_state_dict(torch.load(weights, weights_only=True))
    for seconds in (0.7, 1.5):
        clip = sound(seconds, rate=32000)
        x = their_spectrogram(clip.samples)[None, None]
        assert close(net.prepare(clip).windows[0].inputs["x"][None], x)
        found = features(net, [clip], ["last", "logits", "features.4"])
        with torch.no_grad():
            assert close(found["logits"], own(x))
            assert close(own.classifier[5](found["last"]), own(x))
            assert close(found["features.4"], own.features[:5](x).mean((2, 3)))


def test_efficientat_knows_sounds(net, weights, assets):
    """On clips of ESC-10 its first guesses are what is heard."""
    with weights.with_name("class_labels_indices.csv").open(encoding="utf-8") as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    heard = {"001 - Dog bark": "Dog", "002 - Rain": "Rain", "008 - Chainsaw": "Chainsaw", "009 - Rooster": "Fowl"}
    for folder, name in heard.items():
        file = min((assets / "data" / "esc10" / folder).glob("*.ogg"))
        (scores,) = features(net, [decode_sound(file.read_bytes())], ["logits"])["logits"]
        assert name in {names[i] for i in scores.topk(4).indices.tolist()}


def test_efficientat_takes_sounds_of_any_length(net, weights, tmp_path):
    """Its layers follow the length; it travels with a model."""
    name = f"torch:{FILE}:mn?weights={weights}"
    layer = net.layers()["features.4"]
    assert (layer.shape, layer.axes) == ((16, 16, FREE), ("channels", "height", "frames"))
    save(net, tmp_path)
    moved = load_saved(name, tmp_path, net.preprocessing.value, "cpu")
    assert column_key(moved, Column("last", "none")) == column_key(net, Column("last", "none"))
    assert torch.equal(features(moved, CLIPS)["last"], features(net, CLIPS)["last"])


class OnSamples(nn.Module):
    """Takes samples: convolutions over time and a mean."""

    def __init__(self):
        super().__init__()
        self.stem, self.body, self.fc = nn.Conv1d(1, 6, 40, 20), nn.Conv1d(6, 8, 5, 2), nn.Linear(8, 3)

    def forward(self, samples):
        return self.fc(self.body(self.stem(samples[:, None]).relu()).relu().mean(2))


class OnSpectra(nn.Module):
    """Takes (frames, mels): a recurrent network, whose last state is read."""

    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(20, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, spectra):
        return self.fc(self.rnn(spectra)[0][:, -1])


FRONTS = {
    "samples": (OnSamples, WaveformPreprocessing(rate=RATE)),
    "samples, windows": (OnSamples, WaveformPreprocessing(rate=RATE, window=3000, short="pad", remainder="keep")),
    "samples, shifted": (OnSamples, WaveformPreprocessing(rate=RATE, window=3000)),
    "spectra": (OnSpectra, MELS),
    "spectra, patches": (OnSpectra, MELS.model_copy(update={"patch": 24})),
    "spectra, shifted": (OnSpectra, MELS.model_copy(update={"patch": 24, "short": "keep", "remainder": "shift"})),
}


@pytest.mark.parametrize("name", FRONTS)
def test_any_network_takes_any_front_end(name):
    """Samples or spectra, of any length or of one: what its own forward gives on each window, averaged."""
    network, front = FRONTS[name]
    net, again = (wrap(seeded(network()), preprocess=front, device="cpu") for _ in range(2))
    check_backbone(net, CLIPS if front.shape is not None else CLIPS[::2], again=again)
    assert net.modality == "sound"
    made = front(CLIPS[0])
    with torch.no_grad():
        each = net.module(torch.stack([torch.from_numpy(window) for window in made.windows]))
    shares = torch.tensor(made.lengths)[:, None] / sum(made.lengths)
    assert close(features(net, CLIPS[:1], ["logits"])["logits"], (each * shares).sum(0, keepdim=True))


def test_only_clips_of_one_length_share_a_batch(tmp_path):
    """Nothing is known of the network, so nothing is padded; clips of any lengths are extracted all the same."""
    net = icecore.PretrainedModel.wrap(seeded(OnSpectra()), preprocess=MELS, device="cpu")
    first, other, equal = (net.backbone.bucket(net.backbone.prepare(clip)) for clip in CLIPS)
    assert first == equal != other
    found = net.extract_features(CLIPS, layers=["rnn", "last"], store=str(tmp_path), progress=False)
    assert (found["rnn"].shape, found["last"].shape) == ((3, 8), (3, 8))
    alone = features(net.backbone, CLIPS[1:2])["last"].numpy()
    assert np.allclose(found["last"][1:2], alone, atol=1e-6)


def test_a_clip_that_is_too_short_fails_alone(tmp_path):
    """Fewer samples than the first convolution takes."""
    net = icecore.PretrainedModel.wrap(seeded(OnSamples()), preprocess=WaveformPreprocessing(rate=RATE), device="cpu")
    clips = [*CLIPS, Sound(CLIPS[0].samples[:30], RATE)]
    found = net.extract_features(clips, store=str(tmp_path), progress=False)
    assert len(found) == 3
    assert found.bad[0].reason.startswith("the network cannot run on an input of shape (1, 30):")


@pytest.mark.parametrize("patch", [None, 24])
def test_maps_have_their_channels_first(patch):
    """However like an image its first two axes look."""
    front = MELS.model_copy(update={"patch": patch, "axes": ("channels", "mels", "frames")})
    net = wrap(nn.Sequential(nn.Conv2d(1, 10, 1), nn.Sequential(nn.AvgPool2d(2))), preprocess=front, device="cpu")
    layer = net.layers()["1"]
    frames, axis = (FREE, "frames") if patch is None else (12, "width")
    assert (layer.shape, layer.axes) == ((10, 10, frames), ("channels", "height", axis))


class Unnamed(nn.Module):
    """A forward that names no argument."""

    def forward(self, *inputs):
        return inputs[0]


def test_what_can_be_wrong():
    """Windows that differ in length, a forward without a named argument, arrays of no said size."""
    ragged = MELS.model_copy(update={"patch": 24, "short": "keep"})
    with pytest.raises(PreprocessingError, match=r'differ in length\. Say "short": "pad", or "remainder"'):
        wrap(OnSpectra(), preprocess=ragged, device="cpu")
    with pytest.raises(BackboneError, match=r"has no argument with a name\. forward\(self, x\)"):
        wrap(Unnamed(), preprocess=MELS, device="cpu")
    with pytest.raises(PreprocessingError, match="does not say how large its arrays are"):
        wrap(nn.Linear(4, 2), preprocess=ArrayPreprocessing(), device="cpu")


def test_arrays_of_ones_own(tmp_path):
    """With `tensor.v1` the network takes arrays as they are."""
    front = {"type": "tensor.v1", "shape": [4]}
    net = icecore.PretrainedModel.wrap(seeded(nn.Linear(4, 2)), preprocess=front, device="cpu")
    arrays = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found = net.extract_features(arrays, store=str(tmp_path), progress=False)
    assert net.modality == "array"
    with torch.no_grad():
        assert np.allclose(found["last"], net.backbone.module(torch.from_numpy(arrays)), atol=1e-6)
