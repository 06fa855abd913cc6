"""`torch:` networks from a callable of your own and a local checkpoint.

`torch:package.module:factory?weights=file.safetensors&num_classes=10`: the factory is imported (also from the current
directory) or read from a file (`torch:path/to/nets.py:factory`), called with the other options, and the weights are
fitted into what it returns. Also `wrap`, for a network that is already in memory.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from icecore import keys
from icecore.backbones import licence, saved, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference
from icecore.backbones.seeding import seeded
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.structure import structure
from icecore.backbones.torch_sound import of_sounds
from icecore.data import ArrayPreprocessing, LogMelPreprocessing, WaveformPreprocessing, modality_of
from icecore.errors import PreprocessingError, UnknownBackboneError, WeightsError

PROVIDER = "torch.v1"


class TorchProvider:
    """Networks from the user's own code."""

    summary = "a callable that builds the network, and a local .safetensors or .pt checkpoint"
    extra = ""
    requires: tuple[str, ...] = ()
    example = "torch:my_nets:resnet20?weights=resnet20.pt"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Build, fit the weights, find the preprocessing beside them."""
        del trust_remote_code  # naming the callable is the trust
        options = dict(reference.options)
        file = options.pop("weights", None)
        if file is None and reference.seed is None:
            raise WeightsError(
                f"{reference} names no weights.",
                expected="torch:module.path:factory?weights=file, or ...:factory@random for seeded random weights.",
            )
        factory = _factory(reference.name)
        module = seeded(reference.seed, lambda: _build(factory, options, reference))
        if file is not None and reference.seed is None:
            weights.fit(module, weights.read(file), file)
        preprocess = preprocess or preprocessing_beside(Path(file) if file else None)
        if preprocess is None:
            raise unknown_preprocessing(str(reference))
        backbone = wrapped(module, preprocess, str(reference), source="random weights")
        if file is not None and reference.seed is None:
            backbone.source, backbone.licence = file, licence.of_file(Path(file))
        return backbone

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """Write the weights."""
        saved.save_weights(backbone, folder)

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """Build from the folder's weights."""
        own = saved.own_preprocessing(preprocessing)
        return self.load(saved.with_weights(reference, folder), preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """None: the names are the user's."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: the networks are the user's."""
        return []


provider = TorchProvider()


def wrapped(module: nn.Module, preprocess: Preprocessing, name: str, source: str = "in memory") -> TorchBackbone:
    """A module of unknown origin as a backbone; its structure is read from itself.

    A compiled or data-parallel module is taken out of its wrapper, inside which nothing can be listened to.
    """
    while isinstance(inner := getattr(module, "_orig_mod", None) or _replicated(module), nn.Module):
        module = inner
    about: dict[str, Any] = {
        "id": name,
        "provider": PROVIDER,
        "architecture": structure(module),
        "licence": Licence(),
        "source": source,
    }
    if isinstance(preprocess, LogMelPreprocessing | WaveformPreprocessing):
        return of_sounds(module, preprocess, **about)
    modality = modality_of(preprocess.value)
    sample = _sample_array(preprocess, name) if isinstance(preprocess, ArrayPreprocessing) else None
    return TorchBackbone(module, preprocessing=preprocess, modality=modality, sample=sample, **about)


def _sample_array(preprocess: ArrayPreprocessing, name: str) -> np.ndarray:
    if preprocess.shape is None:
        raise PreprocessingError(
            f"The preprocessing of {name} does not say how large its arrays are.",
            expected='{"type": "tensor.v1", "shape": [...]}, the shape of one item.',
        )
    return np.zeros(preprocess.shape, np.float32)


def _replicated(module: nn.Module) -> Any:
    parallel = isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel)
    return module.module if parallel else None


def unknown_preprocessing(name: str) -> PreprocessingError:
    """The error for a file that does not say how its inputs were prepared."""
    return PreprocessingError(
        f"{name} does not say how its inputs were prepared in training, and icecore does not guess.",
        expected="A preprocess.json beside the weights, or --preprocess FILE (preprocess= in Python).",
        do='For an ImageNet network usually: {"resize": "shortest", "resize_size": 256, "crop": [224, 224], '
        '"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}',
    )


def _factory(name: str) -> Callable[..., Any]:
    where, colon, attribute = name.rpartition(":")
    if not colon:
        raise UnknownBackboneError(
            f"torch:{name} names no callable.", expected="torch:module.path:factory?weights=file"
        )
    module = _module_of_file(Path(where)) if where.endswith(".py") else _module_of_path(where)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UnknownBackboneError(f"{where} has no callable {attribute!r}.", expected="One that returns the network.")
    return found  # type: ignore[no-any-return]  # callable() does not narrow Any


def _module_of_path(where: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    if where.partition(".")[0] in ("timm", "torchvision", "transformers"):
        from icecore.backbones.torchvision_ops import ensure_torchvision_imports

        ensure_torchvision_imports()
    try:
        return importlib.import_module(where)
    except Exception as error:
        raise UnknownBackboneError(
            f"The module {where!r} cannot be imported: {type(error).__name__}: {error}.",
            do="Check the name, and run from its directory.",
        ) from error


def _module_of_file(path: Path) -> Any:
    if not path.is_file():
        raise UnknownBackboneError(f"There is no file {path}.", expected="torch:path/to/file.py:factory?weights=file")
    name = f"{path.stem}_{keys.row_of_file(path).hex()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # a .py file always has a spec
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]  # and a loader
    except Exception as error:
        del sys.modules[name]
        raise UnknownBackboneError(
            f"The file {path} cannot be run: {type(error).__name__}: {error}.", do="Mend it, and try again."
        ) from error
    return module


def _build(factory: Callable[..., Any], options: dict[str, str], reference: Reference) -> nn.Module:
    arguments = {name: parse_option(value) for name, value in options.items()}
    try:
        module = factory(**arguments)
    except Exception as error:
        raise UnknownBackboneError(
            f"{reference} cannot be built: {type(error).__name__}: {error}.", do="Check the options after the '?'."
        ) from error
    if not isinstance(module, nn.Module):
        raise UnknownBackboneError(
            f"The callable of {reference} returned {type(module).__name__}.",
            expected="It must return a torch.nn.Module.",
        )
    return module


def parse_option(text: str) -> Any:
    """An option's value: JSON where it is JSON (10, 0.5, true, [1, 2]), else the text itself.

    Example:
        >>> parse_option("10"), parse_option("gelu")
        (10, 'gelu')
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
