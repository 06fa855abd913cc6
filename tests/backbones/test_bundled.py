"""`icecore:vision-s`: what the wheel carries, that its features are learned, and that models on it travel."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score

import icecore
from icecore.api import write_digits
from icecore.backbones import load
from icecore.backbones.icecore import SOUND_WEIGHTS, VECTORS, WEIGHTS
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.backbones.vision_s import SIDE, VisionS
from icecore.data import WaveformPreprocessing
from icecore.errors import PreprocessingError, UnknownBackboneError
from icecore.testing import check_backbone
from tests.small import WIDTH, labelled, write_colours

BUNDLED, RANDOM = "icecore:vision-s", "icecore:vision-s@random"


def test_the_weights_are_small_half_precision_and_complete():
    """At most 6 MB and 3 M parameters, float16, one value for each of the network's."""
    assert WEIGHTS.stat().st_size <= 6_000_000
    found, own = load_file(WEIGHTS), VisionS().state_dict()
    assert {value.dtype for value in found.values()} == {torch.float16}
    assert set(found) == {name for name in own if not name.endswith("num_batches_tracked")}
    assert {name: value.shape for name, value in found.items()} == {name: own[name].shape for name in found}
    assert sum(value.numel() for value in VisionS().parameters()) <= 3_000_000


def test_what_it_says_of_itself():
    """Its stages can be named, and shrink; licence and source."""
    net = load(BUNDLED, device="cpu")
    layers = net.layers()
    assert layers["input"].shape == (3, SIDE, SIDE)
    assert [layers[f"stages.{number}"].shape[1] for number in range(4)] == [24, 12, 6, 3]
    assert layers["last"].shape == (WIDTH,)
    assert (net.licence.name, net.source) == ("mit", f"icecore's {WEIGHTS.name}")


@pytest.mark.parametrize("side", [64, 96, 128])
def test_it_takes_images_of_64_to_128_pixels(images, side, tmp_path):
    """With a preprocessing of another size the features stay close in direction to those of its own."""
    file = tmp_path / "preprocess.json"
    value = dict(load(BUNDLED, device="cpu").preprocessing.value) | {"resize_size": side, "crop": [side, side]}
    file.write_text(json.dumps(value))
    own, other = (
        icecore.PretrainedModel.load(BUNDLED, preprocess=given, device="cpu").extract_features(images)["last"]
        for given in (None, file)
    )
    cosine = (own * other).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(other, axis=1)
    assert other.shape == (3, WIDTH)
    assert cosine.min() > (0.999 if side == SIDE else 0.6)


def test_its_features_are_learned(tmp_path):
    """Digits on clutter: the same classifier is far better on them than on random weights or on pixels."""
    paths, labels = labelled(write_digits(tmp_path / "digits", per_class=20))
    learned, random = (icecore.PretrainedModel.load(name, device="cpu") for name in (BUNDLED, RANDOM))
    pixels = learned.extract_features(paths, layers="input", pooling="thumbnail")["input"]
    matrices = [learned.extract_features(paths)["last"], random.extract_features(paths)["last"], pixels]
    scaled = [(X - X.mean(0)) / (X.std(0) + 1e-6) for X in matrices]
    trained, untrained, raw = (cross_val_score(RidgeClassifier(1e3), X, labels, cv=5).mean() for X in scaled)
    assert trained > max(untrained, raw) + 0.15


def test_a_model_carries_the_weights_it_was_trained_on(tmp_path):
    """`include_backbone` writes them, and the model predicts the same from there; other weights are refused."""
    colours = write_colours(tmp_path / "colours", 4)
    options = {"head": "ridge", "folds": 2, "repeats": 1, "progress": False}
    model = icecore.fit(colours, backbone=BUNDLED, include_backbone=True, out=tmp_path / "whole", **options)
    moved = shutil.copytree(tmp_path / "whole", tmp_path / "moved")
    loaded = icecore.TransferModel.load(moved)
    np.testing.assert_allclose(
        loaded.predict(colours).probabilities, model.predict(colours).probabilities, rtol=1e-5, atol=1e-6
    )
    file = next(Path(moved, "backbone").glob("*.safetensors"))
    assert str(file) in loaded.net.backbone.source


def test_fit_without_a_backbone_takes_it_and_says_so(tmp_path):
    """The report begins with the advice to take a larger one, naming the flag; with a backbone there is none."""
    colours = write_colours(tmp_path / "colours", 4)
    options = {"head": "ridge", "folds": 2, "repeats": 1, "progress": False}
    model = icecore.fit(colours, **options)
    assert model.net.id == BUNDLED
    assert "no --backbone was given" in model.report.notes[0]
    assert "--backbone timm:" in model.report.notes[0]
    chosen = icecore.fit(colours, backbone=BUNDLED, **options)
    assert not any("--backbone" in note for note in chosen.report.notes)
    assert chosen.report.extraction.computed == 0


TEXTS = ("I lost my card yesterday", "The weather in Oslo", "my card has been stolen", "rain and snow in Norway")


def test_the_vectors_of_texts_are_small_and_know_what_is_alike():
    """At most 8 MB with the tokenizer, one byte a number; texts on one matter are closer than by random vectors."""
    assert sum(file.stat().st_size for file in VECTORS.iterdir()) <= 8_000_000
    assert load_file(VECTORS / "model.safetensors")["embeddings"].dtype == torch.int8
    learned, random = (icecore.PretrainedModel.load(f"icecore:text-s{end}", device="cpu") for end in ("", "@random"))
    matrices = [net.extract_features(list(TEXTS), progress=False)["last"] for net in (learned, random)]
    alike, other = ([X[a] @ X[b] for X in matrices] for a, b in ((0, 2), (0, 1)))
    assert alike[0] > other[0] + 0.3
    assert alike[0] - other[0] > alike[1] - other[1] + 0.1


@pytest.mark.parametrize("name", ["icecore:text-s", "icecore:text-s@random-3"])
def test_texts_have_a_backbone_like_any_other(name, tmp_path):
    """It passes the conformance check, takes no preprocessing, and travels with a model."""
    net = load(name, device="cpu")
    check_backbone(net, list(TEXTS), layers=["tokens", "last"], again=load(name, device="cpu"))
    assert (net.licence.name, net.layers()["last"].shape) == ("mit", (256,))
    with pytest.raises(PreprocessingError, match="Leave the preprocessing out"):
        icecore.PretrainedModel.load(name, preprocess={"resize": None})
    options = {"head": "ridge", "folds": 2, "repeats": 1, "progress": False}
    model = icecore.fit(
        list(TEXTS) * 2, ["card", "weather"] * 4, backbone=name, include_backbone=True, out=tmp_path / "m", **options
    )
    loaded = icecore.TransferModel.load(shutil.move(tmp_path / "m", tmp_path / "moved"))
    assert (loaded.net.id, loaded.net.backbone.source) == (name, str(tmp_path / "moved" / "backbone"))
    np.testing.assert_allclose(
        loaded.predict(list(TEXTS)).probabilities, model.predict(list(TEXTS)).probabilities, rtol=1e-5, atol=1e-6
    )


def sounds(per_class: int = 6) -> tuple[list[tuple[np.ndarray, int]], list[str]]:
    """Clips of half to two seconds at 22,050 Hz: low and high chirps, clicks, and noise that swells."""
    rng, found, labels = np.random.default_rng(0), [], []
    for number in range(4 * per_class):
        n = int(22_050 * rng.uniform(0.5, 2))
        time = np.arange(n) / 22_050
        pitch = rng.uniform(200, 400) if number % 4 == 0 else rng.uniform(2000, 4000)
        chirp = np.sin(2 * np.pi * pitch * (time + 0.2 * time**2))
        swell = rng.normal(0, 1, n) * np.sin(np.pi * rng.uniform(1, 3) * time) ** 2
        clip = (chirp, chirp, (rng.random(n) < 0.0005) * 1.0, swell)[number % 4]
        found.append(((clip * rng.uniform(0.1, 0.3) + rng.normal(0, 0.001, n)).astype(np.float32), 22_050))
        labels.append(("low", "high", "clicks", "swell")[number % 4])
    return found, labels


def test_the_network_for_sounds_is_one_like_any_other(tmp_path):
    """At most 4 MB; it tells kinds of sounds apart and travels with a model."""
    assert SOUND_WEIGHTS.stat().st_size <= 4_000_000
    assert {value.dtype for value in load_file(SOUND_WEIGHTS).values()} == {torch.float16}
    clips, labels = sounds()
    with pytest.raises(PreprocessingError, match="Leave the preprocessing out"):
        load("icecore:audio-s", preprocess=WaveformPreprocessing(rate=16_000))
    options = {"head": "ridge", "folds": 2, "repeats": 1, "progress": False}
    model = icecore.fit(clips, labels, backbone="icecore:audio-s", include_backbone=True, out=tmp_path / "m", **options)
    assert model.report.targets[0].metrics["accuracy"].value > 0.8
    loaded = icecore.TransferModel.load(shutil.move(tmp_path / "m", tmp_path / "moved"))
    assert str(tmp_path / "moved") in loaded.net.backbone.source
    np.testing.assert_allclose(
        loaded.predict(clips).probabilities, model.predict(clips).probabilities, rtol=1e-4, atol=1e-5
    )


def test_a_name_that_is_not_bundled(tmp_path):
    """The nearest name is said."""
    with pytest.raises(UnknownBackboneError, match="icecore:vision-s"):
        load("icecore:vision-l", device="cpu")


@pytest.mark.slow
def test_a_batch_costs_at_most_half_of_mobilenet_v2():
    """32 images at its own resolution against MobileNetV2 at 224, both by torch in float32, taking turns."""
    ensure_torchvision_imports()
    from benchmarks.bundled import cost

    assert cost(rounds=3) <= 0.5
