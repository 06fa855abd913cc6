"""Backbone ids: `provider:name[?option=value&...][@revision]`, and how a bare name finds its provider."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from icecore import plugins
from icecore.errors import UnknownBackboneError, UsageError

RANDOM = re.compile(r"^random(?:-(\d+))?$")
_FILES = {".vec": "static", ".onnx": "onnx", ".keras": "keras", ".h5": "keras", ".hdf5": "keras", ".tflite": "tflite"}
_WEIGHTS = {".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed backbone id.

    Attributes:
        provider: the name before the colon.
        name: what the provider looks up: a hub id, an architecture, a path, a factory.
        options: from `?key=value&...`, as strings.
        revision: after `@`, or None.
    """

    provider: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None

    def __str__(self) -> str:
        query = "&".join(f"{key}={value}" for key, value in self.options.items())
        return (
            f"{self.provider}:{self.name}{'?' + query if query else ''}{'@' + self.revision if self.revision else ''}"
        )

    @property
    def seed(self) -> int | None:
        """Seed of `@random` (0) or `@random-7`; None for trained weights."""
        found = RANDOM.match(self.revision or "")
        return int(found.group(1) or 0) if found else None

    @property
    def path(self) -> Path | None:
        """The local file or folder that the name is, where there is one."""
        return local(self.name)


def parse(text: str) -> Reference:
    """Parse a backbone id. Raises UnknownBackboneError with the nearest names.

    Example:
        >>> parse("timm:resnet18@random").seed
        0
        >>> parse("torch:nets:build?weights=w.pt&width=2").options
        {'weights': 'w.pt', 'width': '2'}
    """
    provider, colon, rest = text.partition(":")
    known = plugins.names("backbones")
    if colon and provider in known:
        return Reference(provider, *_split(rest))
    name, options, revision = _split(text)
    return Reference(_provider_of(text, name), name, options, revision)


def local(text: str) -> Path | None:
    """The file or folder of that name, where there is one."""
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, RuntimeError):  # too long for a name; a home folder that nobody knows
        return None


def _split(rest: str) -> tuple[str, dict[str, str], str | None]:
    """Name, options and revision. What exists as a file or folder is taken whole, whatever signs its name holds."""
    if local(rest):
        return rest, {}, None
    body, revision = _without_revision(rest)
    if local(body):
        return body, {}, revision
    name, _, query = body.partition("?")
    if not name:
        raise UsageError(
            f"The backbone id {rest!r} has no name.", do="Write provider:name, for instance timm:resnet18."
        )
    options = [part.partition("=") for part in query.split("&") if part]
    return name, {key: value for key, _, value in options}, revision


def _without_revision(rest: str) -> tuple[str, str | None]:
    """An `@` begins the revision, unless it is part of a path."""
    body, at, revision = rest.rpartition("@")
    value = rest.rpartition("=")[2]
    if not at or re.search(r"[/\\=?:]", revision) or (value != rest and local(value)):
        return rest, None
    return body, revision or None


def _provider_of(text: str, name: str) -> str:
    path = local(name)
    if path is not None:
        return _provider_of_folder(path) if path.is_dir() else _provider_of_file(path)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return "hf"
    if name.partition(".")[0] in _names_of("timm"):
        return "timm"
    raise unknown(text)


def _provider_of_folder(path: Path) -> str:
    config = path / "config.json"
    if (path / "saved_model.pb").is_file():
        return "keras"
    if not config.is_file():
        raise UnknownBackboneError(
            f"The folder {path} holds no config.json.",
            expected="A local backbone is a Transformers or timm folder with config.json and model.safetensors.",
        )
    told = json.loads(config.read_text("utf-8"))
    if told.get("model_type") == "model2vec":
        return "static"
    return "timm" if "pretrained_cfg" in told else "hf"


def _provider_of_file(path: Path) -> str:
    provider = _FILES.get(path.suffix.lower())
    if provider in plugins.names("backbones"):
        return str(provider)
    if path.suffix.lower() not in _WEIGHTS:
        raise UnknownBackboneError(
            f"The file {path} is no network, by its extension.",
            expected=f"Networks end in {', '.join(_FILES)}; weights alone in {', '.join(sorted(_WEIGHTS))}.",
        )
    raise UnknownBackboneError(
        f"The file {path} holds weights, not the network that they belong to.",
        do=f"Name the callable that builds the network: torch:module.path:factory?weights={path}",
    )


def unknown(text: str) -> UnknownBackboneError:
    """The error for an id that no provider knows, with the nearest names."""
    known = plugins.names("backbones")
    provider, colon, name = text.partition(":")
    name = re.split(r"[?@]", name if colon else text)[0]
    searched = [provider] if provider in known else [*plugins.names("backbones")]
    candidates = {name: f"{one}:{name}" for one in searched for name in _names_of(one)}
    close = difflib.get_close_matches(name, list(candidates), n=3, cutoff=0.6)
    return UnknownBackboneError(
        f"No provider knows the backbone {text!r}, and there is no such file or folder.",
        expected=f"An id is provider:name; providers are {', '.join(known)}.",
        do=f"Did you mean {' or '.join(candidates[name] for name in close)}?" if close else "",
    )


def _names_of(provider: str) -> list[str]:
    """The names that a provider knows, where it is there with all that it needs."""
    if provider not in plugins.names("backbones"):
        return []
    found = plugins.get("backbones", provider)
    return list(found.names()) if all(find_spec(module) is not None for module in found.requires) else []


def absolute(id: str) -> str:  # noqa: A002 - the public word for it
    """The same id with local paths made absolute, so that it is found from another directory.

    Example:
        >>> absolute("timm:resnet18@random")
        'timm:resnet18@random'
    """
    if ":" not in id and not local(id):
        return id
    reference = parse(id)
    options = {key: _absolute(value) if key == "weights" else value for key, value in reference.options.items()}
    file, colon, attribute = reference.name.rpartition(":")
    name = f"{_absolute(file)}:{attribute}" if colon and file.endswith(".py") else _absolute(reference.name)
    return str(replace(reference, name=name, options=options))


def _absolute(text: str) -> str:
    """The absolute path of a file or model folder; anything else, a name that some folder shares too, as it is."""
    path = local(text)
    found = path is not None and (path.is_file() or (path / "config.json").is_file())
    return str(path.resolve()) if path and found else text
