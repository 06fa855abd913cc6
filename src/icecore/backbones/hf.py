"""`hf:` networks of Transformers, by hub id or local folder, with their own image processor.

The class is the one that the configuration names, so that a classifier's weights are there; `last` is what the
classifier reads, or for a network without one its pooled output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from icecore.backbones import extras, licence, saved
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference
from icecore.backbones.seeding import seeded
from icecore.backbones.torch import unknown_preprocessing
from icecore.errors import BackboneError, WeightsError

PROVIDER = "hf.v1"
_NOT_STRUCTURE = (
    "_name_or_path", "architectures", "dtype", "torch_dtype", "id2label", "label2id", "num_labels", "problem_type",
    "transformers_version", "use_cache", "output_attentions", "output_hidden_states", "return_dict",
)  # fmt: skip


class TransformersProvider:
    """Transformers: image networks."""

    summary = "any image network of Transformers, by hub id or local folder"
    extra = "hf"
    requires: tuple[str, ...] = ("transformers", "torchvision")
    example = "hf:google/vit-base-patch16-224"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Load configuration, processor and weights."""
        transformers = extras.require("transformers", self.extra)
        transformers.utils.logging.disable_progress_bar()
        if reference.path is None:
            extras.go_offline_if_unreachable()
        where = _where(reference, trust_remote_code)
        config = _attempt(reference, lambda: transformers.AutoConfig.from_pretrained(**where))
        cls = _class(transformers, reference, config)
        preprocess = preprocess or _processor(transformers, reference, where, config)
        module, missing = _network(cls, reference, where, config)
        notes = [f"not in the checkpoint, seeded random instead: {', '.join(missing)}"] if missing else []
        make = partial(
            TorchBackbone,
            module,
            id=str(reference),
            provider=PROVIDER,
            architecture={"class": type(module).__name__, "config": _structure(config)},
            preprocessing=preprocess,
            licence=_licence(reference),
            source="random weights" if reference.seed is not None else str(reference.path or reference.name),
            notes=notes,
        )
        backbone = make()
        return backbone if backbone.classifier or _base(module) is module else make(last=_base_output)

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """Write a Transformers folder."""
        module: Any = backbone.module
        module.save_pretrained(folder)
        if isinstance(backbone.preprocessing, ProcessorPreprocessing):
            backbone.preprocessing.save(folder)

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """From the folder."""
        own = saved.image_preprocessing(preprocessing)
        return self.load(replace(reference, name=str(folder), revision=None), preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """None: the hub has them."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: the hub has it."""
        return []


provider = TransformersProvider()


class ProcessorPreprocessing:
    """A Transformers image processor; its value is its configuration."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: the processor's settings and the class and library of its arithmetic."""
        settings = json.loads(self._processor.to_json_string())
        return {"kind": "transformers", "class": type(self._processor).__name__, **settings}

    def save(self, folder: Path) -> None:
        """Write `preprocessor_config.json`."""
        self._processor.save_pretrained(folder)

    def __call__(self, decoded: Image.Image) -> Tensor:
        """RGB image to (channels, height, width)."""
        return torch.as_tensor(self._processor(images=decoded, return_tensors="pt")["pixel_values"][0])


def _base(module: Any) -> Any:
    """The network below the head; a network without a head is its own base."""
    return getattr(module, module.base_model_prefix, module)


def _base_output(module: nn.Module, x: Tensor) -> Tensor:
    """For heads that are no single linear layer (a classifier and its distilled twin): what the base gives, pooled."""
    output = _base(module)(x)
    pooled: Tensor | None = output.get("pooler_output")
    first: Tensor = output[0]
    return first[:, 0] if pooled is None else pooled


def _where(reference: Reference, trust_remote_code: bool) -> dict[str, Any]:
    revision = None if reference.seed is not None or reference.path else reference.revision
    return {
        "pretrained_model_name_or_path": str(reference.path or reference.name),
        "trust_remote_code": trust_remote_code,
        **({"revision": revision} if revision else {}),
    }


def _attempt(reference: Reference, load: Any) -> Any:
    """Run one of Transformers' loaders; whatever it raises becomes one sentence."""
    try:
        return load()
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        looked = "that folder" if reference.path else "the local hub cache and on the hub"
        raise WeightsError(
            f"{reference} cannot be loaded: {reason}.",
            expected=f"It was looked for in {looked}: config.json, preprocessor_config.json and model.safetensors.",
            do="Check the id; without a network, fetch it elsewhere and give the local folder: hf:FOLDER",
        ) from error


def _processor(transformers: Any, reference: Reference, where: dict[str, Any], config: Any) -> Preprocessing:
    path = reference.path
    if path is not None and not any(
        (path / n).is_file() for n in ("preprocessor_config.json", "processor_config.json")
    ):
        sidecar = _sidecar(path)
        if sidecar is not None:
            return sidecar
        if reference.seed is None:
            raise unknown_preprocessing(str(reference))
        return _plain(config)
    return ProcessorPreprocessing(_attempt(reference, lambda: transformers.AutoImageProcessor.from_pretrained(**where)))


def _sidecar(path: Path) -> Preprocessing | None:
    from icecore.backbones.sidecar import preprocessing_beside

    return preprocessing_beside(path / "config.json")


def _plain(config: Any) -> Preprocessing:
    """For random weights any normalisation is as good as another."""
    from icecore.data.preprocessing import ImagePreprocessing

    size = getattr(config, "image_size", None) or 224
    return ImagePreprocessing(resize="exact", resize_size=size)


def _class(transformers: Any, reference: Reference, config: Any) -> Any:
    """The class that the configuration names, or AutoModel where Transformers does not know it."""
    name = next(iter(getattr(config, "architectures", None) or ()), "")
    found = getattr(transformers, name, transformers.AutoModel)
    _require_images(reference, found)
    return found


def _network(cls: Any, reference: Reference, where: dict[str, Any], config: Any) -> tuple[nn.Module, list[str]]:
    """The network, and the names of those of its weights that the checkpoint lacks."""
    module: Any
    missing: list[str] = []
    if reference.seed is not None:
        build = getattr(cls, "from_config", cls)  # AutoModel has the one, a class of its own is the other
        module = seeded(reference.seed, lambda: _attempt(reference, lambda: build(config)))
    else:
        module, missing = _pretrained(cls, reference, {**where, "config": config})
    _require_images(reference, module)
    return module, missing


def _pretrained(cls: Any, reference: Reference, arguments: dict[str, Any]) -> tuple[Any, list[str]]:
    def attempt(**more: Any) -> tuple[Any, list[str]]:
        every = {**arguments, "dtype": torch.float32, "output_loading_info": True, **more}
        module, info = seeded(0, lambda: _attempt(reference, lambda: cls.from_pretrained(**every)))
        return module, sorted(info["missing_keys"])

    module, missing = attempt()
    if missing and all("pooler." in name for name in missing):  # a random pooler is worse than none
        module, missing = attempt(add_pooling_layer=False)
    _require_body(reference, module, missing)
    return module, missing


def _require_body(reference: Reference, module: Any, missing: list[str]) -> None:
    """A head may be missing, which is said; a body half random is worse than an error."""
    own = module.base_model_prefix + "."
    has_head = _base(module) is not module
    body = [name for name in missing if name.startswith(own) or not has_head]
    if body:
        raise WeightsError(
            f"The weights of {reference} lack {len(body)} tensors of the network ({', '.join(body[:3])}, ...).",
            expected=f"All of {type(module).__name__}'s, as config.json describes it.",
            do="Check that config.json and model.safetensors belong together.",
        )


def _require_images(reference: Reference, network: Any) -> None:
    """By the main input of a network or its class; AutoModel has none yet."""
    takes = getattr(network, "main_input_name", "pixel_values")
    if takes != "pixel_values":
        raise BackboneError(f"{reference} takes {takes}, not images.", expected="An image network of Transformers.")


def _structure(config: Any) -> dict[str, Any]:
    plain = json.loads(config.to_json_string(use_diff=False))
    return {name: value for name, value in plain.items() if name not in _NOT_STRUCTURE}


def _licence(reference: Reference) -> Licence:
    if reference.path is not None:
        return licence.of_folder(reference.path)
    return _hub_licence(reference)


def _hub_licence(reference: Reference) -> Licence:
    """From the model card on the hub or in its cache; unknown where it cannot be read."""
    hub = extras.require("huggingface_hub", "hf")
    try:
        card = hub.ModelCard.load(reference.name)
    except Exception:  # noqa: BLE001 - offline, private, no card: all mean that nothing is stated
        return Licence()
    stated = card.data.to_dict().get("license")
    return Licence(str(stated).lower(), f"model card of {reference.name}") if stated else Licence()
