"""Other libraries as they document themselves, in eval mode, without gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sides.backends import optimised
from benchmarks.sides.loops import Loaded, Peer, batches, opened
from benchmarks.sides.networks import Network
from icecore import backbones


def peers_of(network: Network, device: str) -> Iterator[Peer]:
    """Those that can run a network, as far as they are installed."""
    if network.modality == "image":
        yield timm_loop(network, device)
    if network.name == "mobilenetv2_100" and find_spec("keras"):
        yield keras_predict()
    if network.name == "vit_small_patch16_224" and network.folder:
        yield vision_pipeline(network.folder, device)
    if network.modality == "text" and network.folder:
        yield text_loop(network.folder, device)
        if find_spec("sentence_transformers"):
            yield sentence_transformers(network.folder, device)
        if find_spec("embetter"):
            yield embetter(network.folder, device)
        if device == "cpu":
            yield from optimised(network.folder)
    if network.modality == "sound" and network.folder:
        yield sound_loop(network.folder, device)


def timm_loop(network: Network, device: str) -> Peer:
    """timm's own transforms, and its network's features before the classifier, as on its page on feature extraction."""
    module = backbones.load(network.id, device=device).module.eval()
    import timm

    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(module), is_training=False)

    def load(path: Path) -> torch.Tensor:
        return transform(opened(path))

    def work(files: Sequence[Path], workers: int, batch_size: int) -> np.ndarray:
        with torch.inference_mode():
            rows = [
                module.forward_head(module.forward_features(batch.to(device)), pre_logits=True).cpu()
                for batch in batches(files, load, workers, batch_size)
            ]
        return torch.cat(rows).numpy()

    return Peer("timm", work)


def keras_predict() -> Peer:
    """`keras.applications` on its torch backend: images loaded and preprocessed by its own functions, `predict`."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    network = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))

    def load(path: Path) -> np.ndarray:
        image = keras.utils.img_to_array(keras.utils.load_img(path, target_size=(224, 224)))
        return np.asarray(keras.applications.mobilenet_v2.preprocess_input(image))

    def work(files: Sequence[Path], workers: int, batch_size: int) -> np.ndarray:
        return np.asarray(network.predict(batches(files, load, workers, batch_size), verbose=0))

    return Peer("Keras predict", work, comparable=False)


def vision_pipeline(folder: Path, device: str) -> Peer:
    """Transformers' image-feature-extraction pipeline over a data set; a network of the same size, other weights."""
    from transformers import pipeline

    run = pipeline("image-feature-extraction", model=str(folder), device=device, pool=True, return_tensors=True)

    def work(files: Sequence[Path], workers: int, batch_size: int) -> np.ndarray:
        found = run(Loaded(files, str), batch_size=batch_size, num_workers=workers)
        return torch.cat([row.reshape(1, -1) for row in found]).numpy()

    return Peer("Transformers pipeline", work, comparable=False)


def vision_loop(folder: Path, device: str = "cpu") -> Peer:
    """Transformers' AutoImageProcessor and AutoModel, batch by batch."""
    from transformers import AutoImageProcessor, AutoModel

    processor, model = AutoImageProcessor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval().to(device)

    def load(path: Path) -> torch.Tensor:
        return processor(opened(path), return_tensors="pt")["pixel_values"][0]

    def work(files: Sequence[Path], workers: int, batch_size: int) -> np.ndarray:
        with torch.inference_mode():
            rows = [
                model(pixel_values=batch.to(device)).pooler_output.cpu()
                for batch in batches(files, load, workers, batch_size)
            ]
        return torch.cat(rows).numpy()

    return Peer("Transformers AutoModel", work)


def text_loop(folder: Path, device: str = "cpu") -> Peer:
    """Transformers' AutoTokenizer and AutoModel, tokens averaged and normalised, as on MiniLM's page."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval().to(device)

    def embedded(texts: Sequence[str]) -> torch.Tensor:
        given = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(device)
        mask = given["attention_mask"][..., None]
        mean = (model(**given).last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean).cpu()

    def work(texts: Sequence[str], _workers: int, batch_size: int) -> np.ndarray:
        with torch.inference_mode():
            rows = [embedded(texts[i : i + batch_size]) for i in range(0, len(texts), batch_size)]
        return torch.cat(rows).numpy()

    return Peer("Transformers AutoModel", work, may_load=False)


def sentence_transformers(folder: Path, device: str) -> Peer:
    """`encode` with torch."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device=device)

    def work(texts: Sequence[str], _workers: int, batch_size: int) -> np.ndarray:
        return np.asarray(model.encode(list(texts), batch_size=batch_size))

    return Peer("sentence-transformers", work, may_load=False)


def embetter(folder: Path, device: str) -> Peer:
    """`SentenceEncoder().transform`, which leaves no choice of a batch size."""
    from embetter.text import SentenceEncoder

    encoder = SentenceEncoder(str(folder), device=torch.device(device))

    def work(texts: Sequence[str], _workers: int, _batch_size: int) -> np.ndarray:
        return np.asarray(encoder.transform(list(texts)))

    return Peer("embetter", work, may_load=False)


def sound_loop(folder: Path, device: str) -> Peer:
    """Sounds resampled to the network's rate, Transformers' AutoFeatureExtractor and AutoModel, frames averaged."""
    import soundfile
    import soxr
    from transformers import AutoFeatureExtractor, AutoModel

    extractor, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval().to(device)
    wanted = extractor.sampling_rate

    def load(path: Path) -> np.ndarray:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return np.asarray(soxr.resample(samples.mean(1), rate, wanted))

    def prepared(sounds: list[np.ndarray]) -> Any:
        return extractor(sounds, sampling_rate=wanted, padding=True, return_tensors="pt")

    def work(files: Sequence[Path], workers: int, batch_size: int) -> np.ndarray:
        collate: Callable[[list[np.ndarray]], Any] = prepared
        with torch.inference_mode():
            rows = [
                model(**batch.to(device)).last_hidden_state.mean(1).cpu()
                for batch in batches(files, load, workers, batch_size, collate_fn=collate)
            ]
        return torch.cat(rows).numpy()

    return Peer("Transformers AutoModel", work)
