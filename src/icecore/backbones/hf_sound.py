"""Sound networks of Transformers, with the front end that their own feature extractor describes.

Networks of samples (Wav2Vec2, HuBERT, WavLM, SEW) take clips of any length, Whisper and AST windows of one. `last` is
what the classifier reads, for a network that classifies or spells; else its pooled output (AST); else the last hidden
states, to be pooled over real frames like any layer. Of Whisper the decoder is left off.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from icecore.backbones.base import Preprocessing
from icecore.backbones.fixed_windows import FixedWindows
from icecore.backbones.hf_checkpoint import PROVIDER, Checkpoint
from icecore.backbones.network import TorchBackbone
from icecore.backbones.sequences import SequenceBackbone
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.sound_windows import SoundWindows, sample_sounds
from icecore.backbones.torch import unknown_preprocessing
from icecore.data import LogMelPreprocessing, WaveformPreprocessing, sound_summary
from icecore.errors import BackboneError, PreprocessingError

SECONDS = 30  # of samples at once; longer clips become windows
_EXTRACTOR = "preprocessor_config.json"
_ENCODER = {r"^model\.encoder\.": "", r"^encoder\.": ""}  # names in checkpoints of the whole network
_HEADS = ("Classification", "ForCTC")


def build(checkpoint: Checkpoint, preprocess: Preprocessing | None) -> TorchBackbone:
    """The backbone of a sound checkpoint; `preprocess` overrides what its feature extractor says."""
    front: Any = preprocess or _front(checkpoint)
    if not isinstance(front, LogMelPreprocessing | WaveformPreprocessing):
        raise PreprocessingError(
            f"{checkpoint.reference} takes sounds, and the preprocessing is of type {front.value.get('type')!r}.",
            expected="One of type waveform.v1 or logmel.v1.",
        )
    cls = _class(checkpoint)
    module, notes = checkpoint.network(cls)
    options: dict[str, Any] = {
        "id": str(checkpoint.reference),
        "provider": PROVIDER,
        "architecture": {"class": type(module).__name__, "config": checkpoint.structure},
        "preprocessing": SoundWindows(front, _argument(checkpoint)),
        "modality": "sound",
        "licence": checkpoint.licence,
        "source": checkpoint.source,
        "notes": notes,
        "samples": sample_sounds(front.rate),
        "raw": partial(sound_summary, front),
        "classifier": None if type(module).__name__.endswith(_HEADS) else "",
    }
    if isinstance(front, LogMelPreprocessing):
        return FixedWindows(module, **options, **_fixed(checkpoint, front))
    return SequenceBackbone(module, axis="frames", **options, **_varying(checkpoint.config))


def _class(checkpoint: Checkpoint) -> Any:
    if checkpoint.cls.__name__.endswith(_HEADS):
        return checkpoint.cls
    return _WhisperEncoder() if checkpoint.config.model_type == "whisper" else checkpoint.transformers.AutoModel


class _WhisperEncoder:
    """Loads the encoder of a Whisper checkpoint alone, in the way of a class of Transformers."""

    def __init__(self) -> None:
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        self.from_config = WhisperEncoder
        self.from_pretrained = partial(WhisperEncoder.from_pretrained, key_mapping=_ENCODER)


def _argument(checkpoint: Checkpoint) -> str:
    return "input_features" if checkpoint.config.model_type == "whisper" else "input_values"


def _fixed(checkpoint: Checkpoint, front: LogMelPreprocessing) -> dict[str, Any]:
    if front.patch is None or front.short == "keep":
        raise PreprocessingError(
            f"{checkpoint.reference} takes windows of one size, and the preprocessing leaves it open.",
            do='Say "patch", and "short" as "pad" or "pad-frames".',
        )
    steps = (front.patch, -(-front.patch // 2)) if checkpoint.config.model_type == "whisper" else ()
    return {"frames": steps, "window": front.patch}


def _varying(config: Any) -> dict[str, Any]:
    """Where normalisation runs over time, or frames are squeezed, padding would be mixed in.

    Data2Vec's stack of positional convolutions smears padding. WavLM hands its mask to torch in a form that torch will
    stop taking, so it gets none.
    """
    mixes = getattr(config, "feat_extract_norm", "group") == "group" or config.model_type in ("sew", "sew-d", "wavlm")
    return {
        "equal_lengths": mixes,
        "mask": None if mixes else "attention_mask",
        "steps": _conv_steps(config.conv_kernel, config.conv_stride),
    }


def _conv_steps(kernels: list[int], strides: list[int]) -> Callable[[int, int, int], int]:
    """Real steps of a layer: convolutions without padding give whole frames only."""

    def steps(layer: int, padded: int, real: int) -> int:
        if padded == real:
            return layer
        for kernel, stride in zip(kernels, strides, strict=True):
            padded, real = (padded - kernel) // stride + 1, (real - kernel) // stride + 1
            if layer in (padded, padded + 1):  # positional convolutions of even width give one more
                return real + layer - padded
        return -(-layer * real // padded)

    return steps


def _front(checkpoint: Checkpoint) -> Any:
    if not checkpoint.has_file(_EXTRACTOR, "processor_config.json"):
        beside = preprocessing_beside(checkpoint.folder / "config.json")
        if beside is None and checkpoint.reference.seed is None:
            raise unknown_preprocessing(str(checkpoint.reference))
        return beside or _of_random(checkpoint)
    load = checkpoint.transformers.AutoFeatureExtractor.from_pretrained
    return _of_extractor(checkpoint, checkpoint.attempt(lambda: load(**checkpoint.where)))


def _of_extractor(checkpoint: Checkpoint, extractor: Any) -> Any:
    name = type(extractor).__name__
    if name not in _FRONTS:
        raise BackboneError(
            f"The sounds of {checkpoint.reference} are prepared by {name}, which icecore does not know.",
            expected=f"One of {', '.join(sorted(_FRONTS))}.",
            do="Describe its front end in a file of type logmel.v1 or waveform.v1, and give it with --preprocess FILE.",
        )
    return _FRONTS[name](json.loads(extractor.to_json_string()))


def _of_random(checkpoint: Checkpoint) -> Any:
    """For random weights any settings that fit are as good as others."""
    config = checkpoint.config
    if config.model_type == "whisper":
        seconds = config.max_source_positions // 50
        return _whisper({"feature_size": config.num_mel_bins, "chunk_length": seconds})
    if hasattr(config, "num_mel_bins"):
        return _ast({"num_mel_bins": config.num_mel_bins, "max_length": config.max_length})
    return _wav2vec2({})


def _wav2vec2(told: dict[str, Any]) -> WaveformPreprocessing:
    rate = told.get("sampling_rate", 16000)
    return WaveformPreprocessing(rate=rate, normalise=told.get("do_normalize", True), window=SECONDS * rate)


def _whisper(told: dict[str, Any]) -> LogMelPreprocessing:
    rate, hop, n_fft = told.get("sampling_rate", 16000), told.get("hop_length", 160), told.get("n_fft", 400)
    return LogMelPreprocessing(
        rate=rate, n_fft=n_fft, window_length=n_fft, hop_length=hop, centre="reflect", fmax=8000,
        mels=told.get("feature_size", 80), mel_scale="slaney", norm="slaney", log="log10", dynamic_range=8, mean=-4,
        std=4, remainder="shift", patch=told.get("chunk_length", 30) * rate // hop, axes=("mels", "frames"),
    )  # fmt: skip


def _ast(told: dict[str, Any]) -> LogMelPreprocessing:
    """Kaldi's filter banks."""
    normal = told.get("do_normalize", True)
    mean, std = told.get("mean", -4.2677393), told.get("std", 4.5689974)
    return LogMelPreprocessing(
        rate=told.get("sampling_rate", 16000), n_fft=512, window_length=400, hop_length=160, periodic=False,
        remove_mean=True, preemphasis=0.97, mels=told.get("num_mel_bins", 128), fmin=20, triangles="mel",
        floor=float(np.finfo(np.float32).eps), mean=mean if normal else 0.0, std=2 * std if normal else 1.0,
        patch=told.get("max_length", 1024), short="pad-frames", remainder="shift",
    )  # fmt: skip


_FRONTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ASTFeatureExtractor": _ast,
    "Wav2Vec2FeatureExtractor": _wav2vec2,
    "WhisperFeatureExtractor": _whisper,
}
