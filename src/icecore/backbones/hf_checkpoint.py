"""Checkpoints of Transformers: configuration, class, weights and licence, whatever the modality."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from icecore.backbones import extras, hub, weights
from icecore.backbones.base import Licence
from icecore.backbones.reference import Reference
from icecore.backbones.seeding import seeded
from icecore.errors import WeightsError

PROVIDER = "hf.v1"
_SMALL = ["*.json", "*.txt", "[0-9]*_*/model.safetensors", "[0-9]*_*/pytorch_model.bin"]  # weights: of steps alone
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
        folder: where its small files lie: the local folder, or that of the hub's cache.
        config: the configuration.
    """

    reference: Reference
    transformers: Any
    where: dict[str, Any]
    folder: Path
    config: Any

    @classmethod
    def open(cls, reference: Reference, trust_remote_code: bool) -> Checkpoint:
        """Read the configuration. Raises WeightsError where there is none, and MissingExtraError."""
        transformers = extras.require("transformers", "hf")
        transformers.utils.logging.disable_progress_bar()
        folder = reference.path or hub.snapshot(reference, _SMALL, "hf")
        where = _where(reference, folder, trust_remote_code)
        config = _attempt(reference, lambda: transformers.AutoConfig.from_pretrained(**where))
        return cls(reference, transformers, where, folder, config)

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
        return hub.licence_of(self.reference, self.folder)

    @property
    def source(self) -> str:
        """Where the weights come from."""
        return hub.source(self.reference, self.folder)

    @property
    def structure(self) -> dict[str, Any]:
        """The configuration, as far as it says what is computed."""
        return _structural(json.loads(self.config.to_json_string(use_diff=False)))

    def has_file(self, *names: str) -> bool:
        """Whether it has one of these files."""
        return any((self.folder / name).is_file() for name in names)

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


def _structural(config: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing of the structure, in the configurations of towers too."""
    kept = {name: value for name, value in config.items() if name not in _NOT_STRUCTURE}
    return {name: _structural(value) if name.endswith("_config") and value else value for name, value in kept.items()}


def base(module: Any) -> Any:
    """The network below the head; a network without a head is its own base."""
    return getattr(module, module.base_model_prefix, module)


def _where(reference: Reference, folder: Path, trust_remote_code: bool) -> dict[str, Any]:
    """Of a hub id the commit that `folder` is of, so that all files are of one revision."""
    return {
        "pretrained_model_name_or_path": str(reference.path or reference.name),
        "trust_remote_code": trust_remote_code,
        **({} if reference.path else {"revision": folder.name}),
    }


def _attempt(reference: Reference, load: Callable[[], _T]) -> _T:
    try:
        with weights.tensors_only():
            return load()
    except Exception as error:
        if weights.blocked(error):
            raise weights.holds_code(str(reference)) from error
        if "trust_remote_code" in str(error):
            raise _untrusted(reference) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if reference.path is None:
            raise hub.missing(reference, reference.name, error) from error
        raise WeightsError(
            f"{reference} cannot be loaded: {reason}.",
            expected="It was looked for in that folder: config.json, model.safetensors, and "
            "preprocessor_config.json or the tokenizer.",
            do="Check the folder; of a network on the hub, `hf download ORG/NAME` fetches it whole.",
        ) from error


def _untrusted(reference: Reference) -> WeightsError:
    return WeightsError(
        f"{reference} comes with code of its own, which is not run unasked.",
        do="If you would run that code, say --trust-remote-code; in Python trust_remote_code=True.",
    )
