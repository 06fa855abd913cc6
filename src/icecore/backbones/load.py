"""From a backbone id to a loaded, frozen network."""

from __future__ import annotations

import copy

from torch import nn

from icecore import plugins
from icecore.backbones import keras, licence
from icecore.backbones.base import Extractor, Preprocessing
from icecore.backbones.device import resolve
from icecore.backbones.fixed_windows import over_windows
from icecore.backbones.placing import AUTO, placed
from icecore.backbones.precision import FLOAT32
from icecore.backbones.reference import parse
from icecore.backbones.torch import unknown_preprocessing, wrapped
from icecore.errors import BackboneError


def load(
    id: str,  # noqa: A002 - the public word for it
    *,
    preprocess: Preprocessing | None = None,
    device: str | None = None,
    precision: str = FLOAT32,
    engine: str = AUTO,
    trust_remote_code: bool = False,
    require_licence: str | None = None,
) -> Extractor:
    """Load a pretrained network by its id, `provider:name[?options][@revision]`.

    Args:
        id: for instance `timm:resnet18.a1_in1k`, `hf:FOLDER`, `torch:nets:build?weights=w.pt`, `timm:resnet18@random`.
        preprocess: overrides the network's own preprocessing.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: `float32` or `bfloat16`, of torch networks.
        engine: what runs it: `auto`, or one of `icecore.prefix.engines`.
        trust_remote_code: let Transformers run code that comes with the weights.
        require_licence: `permissive`, or names of licences separated by commas.

    Raises:
        UnknownBackboneError, WeightsError, PreprocessingError, LicenceError, MissingExtraError, and UsageError for a
        device that there is not.

    Example:
        >>> net = load("timm:resnet18@random", device="cpu")
        >>> net.layers()["last"].shape
        (512,)
    """
    target = resolve(device)
    reference = parse(id)
    provider = plugins.get("backbones", reference.provider)
    backbone = provider.load(reference, preprocess=preprocess, trust_remote_code=trust_remote_code)
    licence.require(backbone.licence, require_licence, id)
    return placed(over_windows(backbone), target, precision=precision, engine=engine)


def wrap(
    module: nn.Module,
    *,
    preprocess: Preprocessing | None,
    name: str = "wrapped",
    device: str | None = "cpu",
    precision: str = FLOAT32,
    engine: str = AUTO,
) -> Extractor:
    """A frozen copy of a network already in memory, as a backbone. The network itself stays as it is.

    Args:
        module: from a batch of inputs to anything that holds a tensor; or a Keras model on its torch backend.
        preprocess: how inputs are prepared; it cannot be guessed.
        name: what it is called in tables.
        device: where the copy runs.
        precision: see `load`.
        engine: see `load`.

    Raises PreprocessingError, and BackboneError where the module cannot be copied.
    """
    target = resolve(device)
    if preprocess is None:
        raise unknown_preprocessing(name)
    if keras.is_keras(module):
        return placed(keras.wrapped(module, preprocess, name), target, precision=precision, engine=engine)
    return placed(wrapped(_copied(module, name), preprocess, name), target, precision=precision, engine=engine)


def _copied(module: nn.Module, name: str) -> nn.Module:
    """Training may go on with the original: its mode, gradients and weights are its own."""
    try:
        return copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise BackboneError(
            f"{name} cannot be copied: {error}.",
            do="Detach the tensors that it keeps as attributes, or load it as torch:module:factory?weights=FILE.",
        ) from error
