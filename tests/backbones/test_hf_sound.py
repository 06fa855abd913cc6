"""`hf:` sound networks: tiny ones of every family, equal to Transformers' own forward, and never moved by padding."""

import warnings

import numpy as np
import pytest
import torch

from icecore.backbones import FREE, extras, load, load_saved, save
from icecore.data import ImagePreprocessing, Sound
from icecore.errors import BackboneError, PreprocessingError
from icecore.prefix import Column, column_key, pool
from tests.backbones.networks import close
from tests.sounds import RATE, sound

_BODY = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
_CONV = {
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 3, 3), "conv_stride": (5, 4, 4), "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
_LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_SEW = {"squeeze_factor": 2, "conv_dim": (16, 16, 16)}
_WHISPER = {
    "d_model": 32, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_layers": 1,
    "decoder_attention_heads": 2, "decoder_ffn_dim": 48, "num_mel_bins": 16, "max_source_positions": 50,
    "vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
    "max_target_positions": 8, "suppress_tokens": None, "begin_suppress_tokens": None,
}  # fmt: skip
_AST = _BODY | {"max_length": 64, "num_mel_bins": 32}
TINY = {
    "wav2vec2": ("Wav2Vec2", "Model", _BODY | _CONV),
    "wav2vec2-layer": ("Wav2Vec2", "Model", _BODY | _CONV | _LAYER),
    "wav2vec2-ctc": ("Wav2Vec2", "ForCTC", _BODY | _CONV | _LAYER | {"vocab_size": 12}),
    "wav2vec2-classes": ("Wav2Vec2", "ForSequenceClassification", _BODY | _CONV | _LAYER | {"classifier_proj_size": 8}),
    "wav2vec2-pretraining": ("Wav2Vec2", "ForPreTraining", _BODY | _CONV),
    "hubert": ("Hubert", "Model", _BODY | _CONV),
    "hubert-layer": ("Hubert", "Model", _BODY | _CONV | _LAYER),
    "wavlm": ("WavLM", "Model", _BODY | _CONV),
    "wavlm-layer": ("WavLM", "Model", _BODY | _CONV | _LAYER),
    "data2vec": ("Data2VecAudio", "Model", _BODY | _CONV | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
    "sew": ("SEW", "Model", _BODY | _CONV | _SEW),
    "whisper": ("Whisper", "Model", _WHISPER),
    "whisper-speech": ("Whisper", "ForConditionalGeneration", _WHISPER),
    "whisper-classes": ("Whisper", "ForAudioClassification", _WHISPER | {"classifier_proj_size": 8}),
    "ast": ("AST", "Model", _AST),
    "ast-classes": ("AST", "ForAudioClassification", _AST | {"num_labels": 5}),
}
VARYING = [name for name in TINY if not name.startswith(("whisper", "ast"))]
_MASKED = [
    name
    for name in VARYING
    if name.startswith(("wav2vec2-layer", "hubert-layer")) or name in ("wav2vec2-ctc", "wav2vec2-classes")
]
LENGTHS = (0.30, 0.42, 0.3)


def written(name, folder):
    transformers = extras.require("transformers", "hf")
    transformers.utils.logging.disable_progress_bar()
    family, kind, config = TINY[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = getattr(transformers, family + kind)(getattr(transformers, family + "Config")(**config)).eval()
    module.save_pretrained(folder)
    extractor(family, "layer" in str(config.get("feat_extract_norm"))).save_pretrained(folder)
    return folder


def extractor(family, mask):
    transformers = extras.require("transformers", "hf")
    if family == "Whisper":
        return transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    if family == "AST":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about filters that are empty
            return transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)
    return transformers.Wav2Vec2FeatureExtractor(return_attention_mask=mask, do_normalize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """By its name, a folder with a tiny network and its feature extractor."""
    home = tmp_path_factory.mktemp("sounds")
    return lambda name: home / name if (home / name).is_dir() else written(name, home / name)


@pytest.fixture(scope="module")
def network(folder):
    """By its name, a tiny network, loaded once."""
    kept = {}
    return lambda name: kept.setdefault(name, load(f"hf:{folder(name)}", device="cpu"))


@pytest.fixture(scope="module")
def clips():
    """Three sounds, two of them of one length."""
    return [sound(seconds, 300.0 + 100 * i, seed=i) for i, seconds in enumerate(LENGTHS)]


def features(net, clips, layers, pooling="mean"):
    def reduce(layer, value):
        return pool(layer, value, "none" if layer.axes == ("channels",) else pooling)

    return net.run([net.prepare(clip) for clip in clips], layers, reduce)


@pytest.mark.parametrize("name", ["wav2vec2-ctc", "wav2vec2-classes", "whisper-classes", "ast-classes"])
def test_the_classifier_reads_last(name, network, clips):
    """`last` is what the last linear layer makes the logits of."""
    net = network(name)
    found = features(net, clips[:1], ["last", "logits"])
    with torch.no_grad():
        assert close(net.module.get_submodule(net.classifier)(found["last"]), found["logits"])


@pytest.mark.parametrize("name", _MASKED)
def test_padding_never_changes_a_vector(name, network, clips):
    """Sounds of other lengths in the batch: every layer of each is what it is alone."""
    net = network(name)
    layers = [layer for layer, found in net.layers().items() if "axis0" not in found.axes]
    together = features(net, clips, layers)
    for i, clip in enumerate(clips):
        alone = features(net, [clip], layers)
        wrong = [layer for layer in layers if not close(together[layer][i : i + 1], alone[layer])]
        assert not wrong


@pytest.mark.parametrize("name", [name for name in VARYING if name not in _MASKED])
def test_only_equal_lengths_share_a_batch_where_padding_would_be_mixed_in(name, network, clips):
    """Group norm runs over time, and SEW squeezes frames: other lengths are other buckets."""
    net = network(name)
    first, longer, equal = (net.bucket(net.prepare(clip)) for clip in clips)
    assert first == equal != longer


def test_layers_follow_the_length(network):
    """Frames are an axis as long as the sound, in convolutions and blocks; of Whisper they end with the sound."""
    layers = network("wav2vec2-layer").layers()
    assert (layers["last"].shape, layers["last"].axes) == ((FREE, 32), ("frames", "channels"))
    assert layers["feature_extractor.conv_layers.0.conv"].axes == ("channels", "frames")
    layers = network("whisper").layers()
    assert (layers["last"].shape, layers["last"].axes) == ((FREE, 32), ("frames", "channels"))
    assert network("ast").layers()["last"].shape == (32,)


def test_long_sounds_become_windows(network):
    """Of one window's length each, the last one ending with the sound; features are means over all of them."""
    net = network("ast")
    clip = sound(1.5)
    prepared = net.prepare(clip)
    size = 63 * 160 + 400
    parts = [clip.samples[:size], clip.samples[64 * 160 : 64 * 160 + size], clip.samples[-size:]]
    assert len(prepared.windows) == 3
    alone = features(net, [Sound(part, RATE) for part in parts], ["last"])["last"]
    assert close(features(net, [clip], ["last"])["last"], alone.mean(0, keepdim=True))


def test_other_rates_and_loudness(network):
    """A sound at 44.1 kHz is resampled; half as loud it has the same features where the extractor normalises."""
    net = network("wav2vec2")
    clip = sound(0.3, rate=44100)
    quiet = Sound(clip.samples / 2, clip.rate)
    found = features(net, [clip, quiet], ["last"])["last"]
    assert torch.allclose(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["wav2vec2-ctc", "whisper-speech", "ast"])
def test_a_saved_backbone_is_whole(name, network, clips, tmp_path):
    """From the artifact's folder alone come the same features under the same keys, of Whisper without its decoder."""
    net = network(name)
    save(net, tmp_path / "backbone")
    again = load_saved(net.id, tmp_path / "backbone", net.preprocessing.value, "cpu")
    assert column_key(again, Column("last", "mean")) == column_key(net, Column("last", "mean"))
    assert torch.equal(features(again, clips[:1], ["last"])["last"], features(net, clips[:1], ["last"])["last"])


def test_a_preprocessing_for_images_is_refused(folder):
    """A network of sounds cannot take pictures."""
    with pytest.raises(PreprocessingError, match=r"takes sounds, and the preprocessing is of type 'image\.v1'"):
        load(f"hf:{folder('wav2vec2')}", preprocess=ImagePreprocessing(), device="cpu")


def test_random_weights_need_no_extractor(folder, tmp_path):
    """`@random` builds any of them from its configuration alone."""
    for name in ("wav2vec2", "whisper", "ast"):
        place = tmp_path / name
        place.mkdir()
        (place / "config.json").write_bytes((folder(name) / "config.json").read_bytes())
        net = load(f"hf:{place}@random", device="cpu")
        assert features(net, [sound(0.3)], ["last"])["last"].shape == (1, 32)
        with pytest.raises((PreprocessingError, BackboneError), match="does not say how its inputs were prepared"):
            load(f"hf:{place}", device="cpu")


def test_the_raw_baseline_is_the_sound_s_spectrum(network):
    """Layer `input` holds mean and deviation of the bands: it tells low from high tones."""
    net = network("wav2vec2")
    low, high = features(net, [sound(0.3, 300), sound(0.3, 3000)], ["input"])["input"].numpy()
    assert low.shape == (128,)
    assert np.argmax(low[:64]) < np.argmax(high[:64])
