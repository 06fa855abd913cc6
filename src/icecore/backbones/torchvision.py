"""`torchvision:` networks by the names of `torchvision.models`, with the transforms of their weights enum.

`torchvision:resnet50` takes the default weights, `torchvision:resnet50@IMAGENET1K_V1` those named, and
`torchvision:mobilenet_v2?weights=file.safetensors` a local state dict.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

from torch import Tensor, nn

from icecore.backbones import extras, licence, saved, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.torch import parse_option, unknown_preprocessing
from icecore.data.preprocessing import ImagePreprocessing
from icecore.errors import WeightsError

PROVIDER = "torchvision.v1"


class TorchvisionProvider:
    """torchvision.models, image classification."""

    summary = "VGG, ResNet, Inception, DenseNet, EfficientNet, ConvNeXt, ViT, Swin and others of torchvision.models"
    extra = "timm"
    requires: tuple[str, ...] = ("torchvision",)
    example = "torchvision:resnet50"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Build a named architecture with weights of the enum, of a file, or seeded random ones."""
        del trust_remote_code  # nothing remote is run
        models = extras.require("torchvision.models", self.extra)
        if reference.name not in self.names():
            raise unknown(str(reference))
        options = dict(reference.options)
        file = options.pop("weights", None)
        enum = _enum(models, reference)
        arguments = {name: parse_option(value) for name, value in options.items()}
        if enum is None and file is None and reference.seed is None:
            raise WeightsError(f"torchvision has no weights of {reference.name}.", do="Give a file: ?weights=FILE.")
        state = weights.read(file) if file is not None and reference.seed is None else None
        module = _module(models, reference, enum, state, arguments)
        notes = []
        if file is not None and state is not None:
            weights.fit(module, state, file)
            preprocess = preprocess or preprocessing_beside(Path(file))
            if preprocess is None and enum is not None:
                notes.append(
                    f"the file carries no preprocessing: taken from {enum}, override it with --preprocess FILE"
                )
        if preprocess is None and enum is None:
            raise unknown_preprocessing(str(reference))
        return TorchBackbone(
            module,
            id=str(reference),
            provider=PROVIDER,
            architecture={"name": reference.name, "options": arguments},
            preprocessing=preprocess or _of_enum(enum),
            licence=licence.of_file(Path(file)) if file else _licence(enum),
            source="random weights" if reference.seed is not None else str(file or enum),
            notes=notes,
            classifier="classifier.1" if reference.name.startswith("squeezenet") else None,
        )

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """Write the weights."""
        saved.save_weights(backbone, folder)

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """Build from the folder's weights, in the form that the revision names."""
        own = saved.own_preprocessing(preprocessing)
        revision = reference.revision if reference.seed is None else None
        named = replace(saved.with_weights(reference, folder), revision=revision)
        return self.load(named, preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """Every classification architecture of the installed torchvision."""
        models = extras.require("torchvision.models", self.extra)
        return list(models.list_models(module=models))

    def catalogue(self) -> list[Entry]:
        """Every member of the weights enums."""
        models = extras.require("torchvision.models", self.extra)
        members = [member for name in self.names() for member in models.get_model_weights(name)]
        return [_entry(member) for member in members]


provider = TorchvisionProvider()


def _entry(member: Any) -> Entry:
    name = type(member).__name__.removesuffix("_Weights").lower()
    size = member.transforms().crop_size[0]
    count = member.meta.get("num_params")
    return Entry(f"torchvision:{name}@{member.name}", "image", _licence(member).name, (size, size), count)


def _enum(models: Any, reference: Reference) -> Any:
    """The member of the weights enum that the revision names; the default one, or the first for a local file."""
    members = models.get_model_weights(reference.name)
    if reference.revision is None or reference.seed is not None:
        if "weights" in reference.options:
            return next(iter(members), None)
        return getattr(members, "DEFAULT", next(iter(members), None))
    if reference.revision not in members.__members__:
        raise WeightsError(
            f"torchvision:{reference.name} has no weights called {reference.revision!r}.",
            expected=f"It has {', '.join(members.__members__)}.",
        )
    return members[reference.revision]


def _module(
    models: Any, reference: Reference, enum: Any, state: Mapping[str, Tensor] | None, arguments: dict[str, Any]
) -> nn.Module:
    own = state is None and reference.seed is None
    build = {"weights": enum} if own else _as_pretrained(reference.name, enum, state) | {"weights": None}
    try:
        with (
            weights.tensors_only(),
            redirect_stdout(sys.stderr),
        ):  # torch announces downloads on the output that may be meant for programs
            module: nn.Module = seeded(reference.seed, lambda: models.get_model(reference.name, **build | arguments))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{reference} cannot be built: {error}.", do="Check the options after the '?'.") from error
    except (
        URLError,
        OSError,
        RuntimeError,
        pickle.UnpicklingError,
    ) as error:  # RuntimeError: the hash of what was downloaded is wrong
        if weights.blocked(error):
            raise weights.holds_code(f"{_cache()}/{enum.url.rpartition('/')[2]}") from error
        raise WeightsError(
            f"The weights of {reference} are not in torch's cache and cannot be downloaded ({error}).",
            do=f"Put {enum.url.rpartition('/')[2]} from {enum.url} into {_cache()}, "
            f"or give a local file: torchvision:{reference.name}?weights=FILE",
        ) from error
    return module


def _as_pretrained(name: str, enum: Any, state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    """What torchvision's builders change when they load pretrained weights, for those that come from elsewhere."""
    if name in ("googlenet", "inception_v3"):
        auxiliary = any(key.lower().startswith("aux") for key in state or ())
        return {"transform_input": True, "aux_logits": auxiliary, "init_weights": state is None}
    if name.startswith("vit_") and enum is not None:
        return {"image_size": enum.meta["min_size"][0]}
    return {}


def _cache() -> str:
    import torch

    return f"{torch.hub.get_dir()}/checkpoints"


def _licence(enum: Any) -> Licence:
    return licence.stated(enum.meta.get("license", "") if enum is not None else "", str(enum))


def _of_enum(enum: Any) -> ImagePreprocessing:
    """The enum's own transforms as a value: resize, centre crop, to [0, 1], normalise, on Pillow images."""
    preset = enum.transforms()
    return ImagePreprocessing(
        resize="shortest",
        resize_size=preset.resize_size[0],
        crop=(preset.crop_size[0], preset.crop_size[0]),
        interpolation=preset.interpolation.value,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )
