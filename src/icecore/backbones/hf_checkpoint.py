"""Checkpoints of Transformers: configuration, class, weights and licence, whatever the modality."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from icecore.backbones import extras, licence
from icecore.backbones.base import Licence
from icecore.backbones.reference import Reference
from icecore.backbones.seeding import seeded
from icecore.errors import WeightsError

PROVIDER = "hf.v1"
_NOT_STRUCTURE = (
    "_name_or_path", "architectures", "dtype", "torch_dtype", "id2label", "label2id", "num_labels", "problem_type",
    "transformers_version", "use_cache", "output_attentions", "output_hidden_states", "return_dict",
)  # fmt: skip
_T = TypeVar("_T")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose configuration was read.

    Attributes:
        reference: its id.
        transformers: the library.
        where: arguments of every `from_pretrained`.
        config: the configuration.
    """

    reference: Reference
    transformers: Any
    where: dict[str, Any]
    config: Any

    @classmethod
    def open(cls, reference: Reference, trust_remote_code: bool) -> Checkpoint:
        """Read the configuration. Raises WeightsError where there is none, and MissingExtraError."""
        transformers = extras.require("transformers", "hf")
        transformers.utils.logging.disable_progress_bar()
        if reference.path is None:
            extras.go_offline_if_unreachable()
        where = _where(reference, trust_remote_code)
        config = _attempt(reference, lambda: transformers.AutoConfig.from_pretrained(**where))
        return cls(reference, transformers, where, config)

    @property
    def cls(self) -> Any:
        """The class that the configuration names, or AutoModel where Transformers does not know it."""
        name = next(iter(getattr(self.config, "architectures", None) or ()), "")
        return getattr(self.transformers, name, self.transformers.AutoModel)

    @property
    def main_input(self) -> str:
        """Name of the argument that the network takes: `pixel_values`, `input_ids`, ..."""
        known = self.transformers.MODEL_MAPPING.get(type(self.config), None)
        known = known[0] if isinstance(known, tuple) else known
        default = "pixel_values" if self.has_file("preprocessor_config.json") else "input_ids"
        return str(getattr(self.cls, "main_input_name", None) or getattr(known, "main_input_name", default))

    @property
    def licence(self) -> Licence:
        """Of the weights, from the model card or a LICENSE file."""
        path = self.reference.path
        return licence.of_folder(path) if path is not None else _hub_licence(self.reference)

    @property
    def source(self) -> str:
        """Where the weights come from."""
        reference = self.reference
        return "random weights" if reference.seed is not None else str(reference.path or reference.name)

    @property
    def structure(self) -> dict[str, Any]:
        """The configuration, as far as it says what is computed."""
        plain = json.loads(self.config.to_json_string(use_diff=False))
        return {name: value for name, value in plain.items() if name not in _NOT_STRUCTURE}

    def has_file(self, *names: str) -> bool:
        """Whether it is a local folder that holds one of these files."""
        path = self.reference.path
        return path is not None and any((path / name).is_file() for name in names)

    def attempt(self, load: Callable[[], _T]) -> _T:
        """Run one of Transformers' loaders; whatever it raises becomes one sentence. Raises WeightsError."""
        return _attempt(self.reference, load)

    def network(self, cls: Any) -> tuple[nn.Module, tuple[str, ...]]:
        """The network, and a note if the checkpoint lacks some of its weights.

        Raises WeightsError where it lacks some of the body: a network half random is worse than an error.
        """
        seed = self.reference.seed
        if seed is not None:
            build = getattr(cls, "from_config", cls)  # AutoModel has the one, a class of its own is the other
            module: nn.Module = seeded(seed, lambda: self.attempt(lambda: build(self.config)))
            return module, ()
        module, missing = self._pretrained(cls)
        notes = (f"not in the checkpoint, seeded random instead: {', '.join(missing)}",) if missing else ()
        return module, notes

    def _pretrained(self, cls: Any) -> tuple[Any, list[str]]:
        def load(**more: Any) -> tuple[Any, list[str]]:
            every = {**self.where, "config": self.config, "dtype": torch.float32, "output_loading_info": True, **more}
            with _quiet(self.transformers.utils.logging):
                module, info = seeded(0, lambda: self.attempt(lambda: cls.from_pretrained(**every)))
            return module, sorted(info["missing_keys"])

        module, missing = load()
        if missing and all("pooler." in name for name in missing):  # a random pooler is worse than none
            module, missing = load(add_pooling_layer=False)
        self._require_body(module, missing)
        return module, missing

    def _require_body(self, module: Any, missing: list[str]) -> None:
        """A head may be missing, which is said."""
        own = module.base_model_prefix + "."
        has_head = base(module) is not module
        body = [name for name in missing if name.startswith(own) or not has_head]
        if body:
            some = ", ".join(body[:3])
            raise WeightsError(
                f"The weights of {self.reference} lack {len(body)} tensors of the network ({some}, ...).",
                expected=f"All of {type(module).__name__}'s, as config.json describes it.",
                do="Check that config.json and model.safetensors belong together.",
            )


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without Transformers' table of what is missing, which is told in our own words."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def base(module: Any) -> Any:
    """The network below the head; a network without a head is its own base."""
    return getattr(module, module.base_model_prefix, module)


def _where(reference: Reference, trust_remote_code: bool) -> dict[str, Any]:
    revision = None if reference.seed is not None or reference.path else reference.revision
    return {
        "pretrained_model_name_or_path": str(reference.path or reference.name),
        "trust_remote_code": trust_remote_code,
        **({"revision": revision} if revision else {}),
    }


def _attempt(reference: Reference, load: Callable[[], _T]) -> _T:
    try:
        return load()
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        looked = "that folder" if reference.path else "the local hub cache and on the hub"
        raise WeightsError(
            f"{reference} cannot be loaded: {reason}.",
            expected=f"It was looked for in {looked}: config.json, model.safetensors, and preprocessor_config.json or "
            "the tokenizer.",
            do="Check the id; without a network, fetch it elsewhere and give the local folder: hf:FOLDER",
        ) from error


def _hub_licence(reference: Reference) -> Licence:
    """From the model card on the hub or in its cache; unknown where it cannot be read."""
    hub = extras.require("huggingface_hub", "hf")
    try:
        card = hub.ModelCard.load(reference.name)
    except Exception:  # noqa: BLE001 - offline, private, no card: all mean that nothing is stated
        return Licence()
    stated = card.data.to_dict().get("license")
    return Licence(str(stated).lower(), f"model card of {reference.name}") if stated else Licence()
