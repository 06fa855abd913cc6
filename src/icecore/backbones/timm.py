"""`timm:` networks, with timm's own evaluation transform.

`timm:resnet18.a1_in1k` by name and tag, `timm:FOLDER` for a local timm folder (config.json and model.safetensors),
`timm:resnet18?weights=file.safetensors` for a local state dict, other options as arguments of `timm.create_model`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from icecore.backbones import extras, hub, licence, saved, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import Final, TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.torch import parse_option
from icecore.errors import WeightsError

PROVIDER = "timm.v1"
_CONFIG = "config.json"
_OF_THE_SOURCE = ("url", "file", "hf_hub_id", "hf_hub_filename", "source", "state_dict", "custom_load")
_SHAPING = ("num_classes", "global_pool", "input_size", "fixed_input_size")  # of a tag, and used to build the network
_TRANSFORM_FIELDS = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")


class TimmProvider:
    """timm: image networks of every family."""

    summary = "any network of timm, by name and pretrained tag"
    extra = "timm"
    requires: tuple[str, ...] = ("timm", "torchvision")
    example = "timm:resnet18.a1_in1k"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Create the network with its pretrained weights, those of a file or folder, or seeded random ones."""
        del trust_remote_code  # timm runs no remote code
        timm = extras.require("timm", self.extra)
        options = dict(reference.options)
        file = options.pop("weights", None)
        if reference.path is None and reference.name.partition(".")[0] not in self.names():
            raise unknown(str(reference))
        arguments = {name: parse_option(value) for name, value in options.items()}
        module = _create(timm, reference, arguments, pretrained=file is None)
        if file is not None and reference.seed is None:
            weights.fit(module, weights.read(file), file)
            preprocess = preprocess or preprocessing_beside(Path(file))
        config: Mapping[str, Any] = module.pretrained_cfg  # type: ignore[assignment]  # timm sets a dictionary
        return TorchBackbone(
            module,
            id=str(reference),
            provider=PROVIDER,
            architecture=_architecture(config, reference, arguments),
            preprocessing=preprocess or TimmPreprocessing(timm, _data_config(timm, module, arguments)),
            licence=_licence(config, reference),
            source=_source(config, reference, file),
            last=_final(module, config),
        )

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """Write a timm folder."""
        saved.save_weights(backbone, folder)
        own: Any = backbone.module.pretrained_cfg
        described = {
            "architecture": backbone.architecture["name"],
            "pretrained_cfg": {name: value for name, value in own.items() if name not in _OF_THE_SOURCE},
            "model_args": backbone.architecture["options"],
        }
        (folder / _CONFIG).write_text(json.dumps(described, indent=2), "utf-8")

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """Build from the folder, whatever name or folder the network came from."""
        own = saved.own_preprocessing(preprocessing) or _transform(preprocessing)
        named = saved.with_weights(replace(reference, name=str(folder), options={}), folder)
        return self.load(named, preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """Every architecture of the installed timm."""
        return _names()

    def catalogue(self) -> list[Entry]:
        """Every pretrained tag that the installed timm knows."""
        timm = extras.require("timm", self.extra)
        return [_entry(name, timm.get_pretrained_cfg(name)) for name in timm.list_pretrained()]

    def parameters(self, name: str) -> int:
        """How many an architecture has, with or without a tag."""
        with torch.device("meta"):
            module = extras.require("timm", self.extra).create_model(name.partition(".")[0])
        return sum(value.numel() for value in module.parameters())


provider = TimmProvider()


class TimmPreprocessing:
    """timm's evaluation transform; its value is the resolved data config."""

    def __init__(self, timm: Any, config: Mapping[str, Any]) -> None:
        self._config = {name: config[name] for name in _TRANSFORM_FIELDS if name in config}
        self._transform = timm.data.create_transform(**self._config, is_training=False)

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: input size (channels, height, width), interpolation, mean, std, share and mode of the crop."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in self._config.items()}
        return {"kind": "timm", **plain}

    def __call__(self, decoded: Image.Image) -> Tensor:
        """RGB image to (channels, height, width)."""
        grey = self._config["input_size"][0] == 1
        return torch.as_tensor(self._transform(decoded.convert("L") if grey else decoded))


def _transform(value: Mapping[str, Any]) -> TimmPreprocessing:
    config = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
    return TimmPreprocessing(extras.require("timm", "timm"), config)


def _data_config(timm: Any, module: nn.Module, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """timm's own; for a network asked to be of one channel, mean and deviation are the averages of the three."""
    config: dict[str, Any] = timm.data.resolve_model_data_config(module)
    if arguments.get("in_chans") != 1:
        return config
    average = {name: (sum(config[name]) / len(config[name]),) for name in ("mean", "std")}
    return config | average | {"input_size": (1, *config["input_size"][1:])}


def _entry(name: str, config: Any) -> Entry:
    return Entry(f"timm:{name}", "image", str(config.license or "unknown").lower(), tuple(config.input_size[1:]))


@cache
def _names() -> list[str]:
    timm = extras.require("timm", "timm")
    return list(timm.list_models())


def _create(timm: Any, reference: Reference, arguments: dict[str, Any], *, pretrained: bool) -> nn.Module:
    name = f"local-dir:{reference.path}" if reference.path else reference.name
    pretrained = pretrained and reference.seed is None
    if pretrained and reference.path is None:
        extras.go_offline_if_unreachable()
    try:
        with weights.tensors_only():
            module: nn.Module = seeded(
                reference.seed, lambda: timm.create_model(name, pretrained=pretrained, **arguments)
            )
    except Exception as error:
        if weights.blocked(error):
            raise weights.holds_code(str(reference)) from error
        if hub.explains(error):
            raise hub.missing(reference, timm.get_pretrained_cfg(reference.name).hf_hub_id, error) from error
        raise WeightsError(
            f"{reference} cannot be loaded: {_first_line(error)}.",
            do=f"Check the name, the tag and the options, or give a local file: timm:{reference.name}?weights=FILE",
        ) from error
    return module


def _architecture(config: Mapping[str, Any], reference: Reference, arguments: dict[str, Any]) -> dict[str, Any]:
    """Name, what the tag or folder says about the build, and the user's options, which win."""
    file = reference.path / _CONFIG if reference.path else None
    kept = json.loads(file.read_text("utf-8")).get("model_args", {}) if file and file.is_file() else {}
    shaping = {name: config[name] for name in _SHAPING if config.get(name) is not None}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in shaping.items()}
    return {"name": config.get("architecture", reference.name), "tag": plain, "options": kept | arguments}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _licence(config: Mapping[str, Any], reference: Reference) -> Licence:
    stated = config.get("license")
    if stated and reference.seed is None and "weights" not in reference.options:
        return Licence(str(stated).lower(), "timm pretrained_cfg")
    if reference.path and reference.path.is_dir():
        return licence.of_folder(reference.path)
    file = reference.options.get("weights")
    return licence.of_file(Path(file)) if file and reference.seed is None else Licence()


def _source(config: Mapping[str, Any], reference: Reference, file: str | None) -> str:
    if reference.seed is not None:
        return "random weights"
    if config.get("hf_hub_id") and not file and not reference.path:
        return hub.source_in_cache(config["hf_hub_id"])
    return str(file or reference.path or config.get("url") or reference.name)


def _final(module: nn.Module, config: Mapping[str, Any]) -> Final | None:
    """timm's own pre-logits, for the networks whose classifier does not read them as they are."""
    head: Any = module
    single = isinstance(config.get("classifier"), str) and isinstance(head.get_classifier(), nn.Linear)
    if single or not hasattr(module, "forward_head"):
        return None
    return _pre_logits


def _pre_logits(network: Any, x: Tensor) -> Tensor:
    pooled: Tensor = network.forward_head(network.forward_features(x), pre_logits=True)
    return pooled
