"""`keras:` networks of Keras 3 on its torch backend.

`keras:VGG16` by the names of `keras.applications`, with their own `preprocess_input`; `keras:FILE.keras` and
`keras:FILE.h5`, those of Keras 2 included. Also `wrapped`, for a Keras model that is already in memory.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from icecore import keys
from icecore.backbones import graph_files, licence, saved
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.code import code_of, full_name
from icecore.backbones.keras_backend import application_names, keras_on_torch, seeded_keras
from icecore.backbones.keras_network import KerasBackbone, KerasNetwork
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.torch import parse_option
from icecore.data import ImagePreprocessing, modality_of
from icecore.errors import BackboneError, WeightsError

PROVIDER = "keras.v1"
_FILE = "model"
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_MODES: tuple[dict[str, Any], ...] = (
    {"mode": "BGR", "scale": 1.0, "mean": (103.939, 116.779, 123.68)},  # caffe
    {"scale": 1 / 127.5, "mean": (1.0,)},  # tf
    _IMAGENET,  # torch
    {"scale": 1.0},  # the network does it
)


class KerasProvider:
    """Keras models."""

    summary = "keras.applications by name, .keras and .h5 files (Keras 2 included), on Keras 3's torch backend"
    extra = "keras"
    requires: tuple[str, ...] = ("keras",)
    example = "keras:EfficientNetB0"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> KerasBackbone:
        """A file, or an application with ImageNet weights, those of a file, or seeded random ones."""
        del trust_remote_code  # code inside a file is refused by Keras's own safe mode
        path = reference.path
        if path is not None:
            return self._of_file(reference, path, preprocess)
        if Path(reference.name).suffix in (".keras", ".h5", ".hdf5"):
            graph_files.file_of(reference)
        if reference.name not in self.names():
            raise unknown(str(reference))
        options = {name: parse_option(value) for name, value in reference.options.items()}
        file = options.pop("weights", None)
        model = _application(keras_on_torch(), reference, options, file)
        source = "random weights" if reference.seed is not None else str(file or "keras.applications, ImageNet")
        return _of_application(reference, model, options, preprocess, source)

    def save(self, backbone: KerasBackbone, folder: Path) -> None:
        """Copy the file, or write an application as one."""
        module: Any = backbone.module
        path = Path(backbone.source)
        if path.is_file() and "options" not in backbone.architecture:
            shutil.copyfile(path, folder / f"{_FILE}{path.suffix}")
        else:
            module.keras_model.save(folder / f"{_FILE}.keras")

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> KerasBackbone:
        """From the copy."""
        own = saved.own_preprocessing(preprocessing)
        path = next(iter(sorted(folder.glob(f"{_FILE}.*"))), folder / f"{_FILE}.keras")
        if reference.name not in self.names():
            return self._of_file(replace(reference, name=str(path), revision=None), path, own)
        options = {name: parse_option(value) for name, value in reference.options.items() if name != "weights"}
        return _of_application(reference, _read(keras_on_torch(), path), options, own, str(path))

    def names(self) -> list[str]:
        """Every network of the installed keras.applications."""
        return application_names()

    def catalogue(self) -> list[Entry]:
        """The same; Keras states no licence for their weights."""
        return [Entry(f"keras:{name}", "image") for name in self.names()]

    def parameters(self, name: str) -> int:
        """How many an application has."""
        keras = keras_on_torch()
        with keras.device("meta"):
            return int(getattr(keras.applications, name)(weights=None).count_params())

    def _of_file(self, reference: Reference, path: Path, preprocess: Preprocessing | None) -> KerasBackbone:
        if path.is_dir():
            raise _folder(path)
        graph_files.file_of(reference)
        model = _read(keras_on_torch(), path)
        known = f"Its input has the shape {tuple(model.input_shape[1:])}."
        own = graph_files.preprocessing_for(preprocess, path, known)
        return _backbone(model, str(reference), own, licence.of_file(path), str(path))


provider = KerasProvider()


def wrapped(model: Any, preprocess: Preprocessing, name: str) -> KerasBackbone:
    """A copy of a Keras model in memory as a backbone. Raises BackboneError where it cannot be copied."""
    keras = keras_on_torch()
    try:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    except (ValueError, NotImplementedError, TypeError) as error:
        raise BackboneError(
            f"{name} cannot be copied: {_first_line(error)}.",
            expected="A functional or Sequential model, whose layers have get_config().",
            do="Save it as .keras, and load it as keras:FILE.",
        ) from error
    return _backbone(copy, name, preprocess, Licence(), "in memory")


def is_keras(model: Any) -> bool:
    """Whether it is a Keras model, without importing Keras."""
    return "keras" in sys.modules and isinstance(model, sys.modules["keras"].Model)


def _backbone(model: Any, name: str, preprocess: Preprocessing, stated: Licence, source: str) -> KerasBackbone:
    """A model that is not known by a name: what it computes is read from its configuration."""
    own = {type(part) for part in model._flatten_layers() if not full_name(type(part)).startswith("keras.")}  # noqa: SLF001 - nested ones too
    config = json.loads(json.dumps(model.get_config(), default=str))
    return KerasBackbone(
        KerasNetwork(model),
        id=name,
        provider=PROVIDER,
        architecture={"config": keys.key("structure", _without_names(config)), "code": keys.key("code", code_of(own))},
        preprocessing=preprocess,
        modality=modality_of(preprocess.value),
        licence=stated,
        source=source,
        sample=_sample(model, preprocess),
    )


def _sample(model: Any, preprocess: Preprocessing) -> Any:
    """For arrays one of the shape that the model says; None for images."""
    if modality_of(preprocess.value) != "array":
        return None
    return np.zeros(getattr(preprocess, "shape", None) or [size or 1 for size in model.input_shape[1:]], np.float32)


def _without_names(config: Any) -> Any:
    """A configuration without the model's own name, which says nothing of what it computes."""
    return {key: value for key, value in config.items() if key != "name"}


def _of_application(
    reference: Reference, model: Any, options: dict[str, Any], preprocess: Preprocessing | None, source: str
) -> KerasBackbone:
    return KerasBackbone(
        KerasNetwork(model),
        id=str(reference),
        provider=PROVIDER,
        architecture={"name": reference.name, "options": options},
        preprocessing=preprocess or _own_preprocessing(keras_on_torch(), reference.name, model),
        licence=Licence(),
        source=source,
    )


def _application(keras: Any, reference: Reference, options: dict[str, Any], file: str | None) -> Any:
    build: Callable[..., Any] = getattr(keras.applications, reference.name)
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    weights = None if reference.seed is not None else file or "imagenet"
    try:
        with redirect_stdout(sys.stderr), seeded_keras(keras, reference.seed), ThreadPoolExecutor(1) as fresh:
            # Keras counts the names that it gives by thread: a fresh one gives the same network the same names.
            return fresh.submit(build, weights=weights, **arguments).result()
    except Exception as error:
        raise _unbuilt(reference, file, weights, error) from error


def _unbuilt(reference: Reference, file: str | None, weights: str | None, error: Exception) -> BackboneError:
    reason = _first_line(error)
    if weights is None or isinstance(error, TypeError):
        return BackboneError(f"{reference} cannot be built: {reason}.", do="Check the options after the '?'.")
    if file is not None:
        return WeightsError(f"The weights in {file} do not fit {reference.name}: {reason}.", do="Check the file.")
    return WeightsError(
        f"The weights of {reference} cannot be fetched: {reason}.",
        expected="They were looked for in ~/.keras/models, and where Keras keeps them.",
        do=f"Put the file that it names there, give a local one (keras:{reference.name}?weights=FILE), or try "
        f"keras:{reference.name}@random.",
    )


def _own_preprocessing(keras: Any, name: str, model: Any) -> ImagePreprocessing:
    """The application's `preprocess_input` as a value: which of Keras's modes it is shows on a few pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    module = sys.modules[getattr(keras.applications, name).__module__]  # where its preprocess_input is too
    wanted = np.asarray(module.preprocess_input(pixels.copy(), data_format="channels_last"))
    height, width = model.input_shape[1] or 224, model.input_shape[2] or 224
    geometry = {"resize": "exact", "resize_size": (height, width), "channels_last": True}
    image = ImagePreprocessing.model_validate
    for mode in _MODES:
        if np.allclose(_applied(image(mode), pixels), wanted, atol=1e-3):
            return image({**mode, **geometry})
    raise BackboneError(
        f"The preprocess_input of {name} is none that icecore knows.", do="Give one with --preprocess FILE."
    )


def _applied(own: ImagePreprocessing, pixels: np.ndarray) -> np.ndarray:
    ordered = pixels[..., ::-1] if own.mode == "BGR" else pixels
    applied: np.ndarray = (ordered * own.scale - np.array(own.mean)) / np.array(own.std)
    return applied


def _read(keras: Any, path: Path) -> Any:
    try:
        model = keras.models.load_model(path, compile=False, custom_objects=_of_keras_2(keras))
    except Exception as error:
        raise WeightsError(
            f"{path} cannot be loaded by Keras: {_first_line(error)}.",
            expected="A whole model, as model.save() writes it; code inside it (Lambda layers) is not run.",
            do="Where it holds weights alone, name the network: keras:VGG16?weights=FILE.",
        ) from error
    if len(getattr(model, "inputs", ()) or ()) != 1:
        raise BackboneError(f"{path} has {len(model.inputs or ())} inputs.", expected="A model with one input.")
    return model


@cache
def _of_keras_2(keras: Any) -> dict[str, Any]:
    """What Keras 3 does not read of Keras 2's own files: depthwise convolutions that say `groups: 1`."""

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]  # Keras is untyped
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return keras.layers.DepthwiseConv2D(**{k: v for k, v in config.items() if (k, v) != ("groups", 1)})

    return {"DepthwiseConv2D": DepthwiseConv2D}


def _folder(path: Path) -> WeightsError:
    if (path / "saved_model.pb").is_file():
        return WeightsError(
            f"{path} is a TensorFlow SavedModel, which only TensorFlow runs.",
            expected="The same network as an ONNX file.",
            do=f"Convert it where TensorFlow is installed: pip install tf2onnx && python -m tf2onnx.convert "
            f"--saved-model {path} --output model.onnx; then use onnx:model.onnx",
        )
    return WeightsError(f"{path} is a folder.", expected="A .keras or .h5 file.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
