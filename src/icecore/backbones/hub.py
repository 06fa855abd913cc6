"""Networks of the model hub: found in its local cache, or fetched into it; and one sentence for what is not there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from icecore.backbones import extras, licence
from icecore.backbones.base import Licence
from icecore.backbones.reference import Reference
from icecore.errors import WeightsError

_CARDS = ["README.md", "LICEN[CS]E*"]
_SHORT = 12  # digits of a commit, as people write it
_REASONS = {  # the most special first
    "IncompleteSnapshotError": "its copy in the cache is not whole, and the hub cannot be reached",
    "LocalEntryNotFoundError": "it is not here, and the hub cannot be reached",
    "OfflineModeIsEnabled": "it is not here, and the hub cannot be reached",
    "GatedRepoError": "its owner asks you to accept conditions on the hub, and to log in with `hf auth login`",
    "RepositoryNotFoundError": "the hub has no model of that name, or it is private",
    "RevisionNotFoundError": "the hub's model has no such revision",
    "HFValidationError": "there is no such file or folder, and no hub id looks like this",
}


def snapshot(reference: Reference, files: list[str], extra: str) -> Path:
    """The folder of a hub id's revision in the cache, with the files of these patterns and its model card.

    Its name is the commit. Raises WeightsError.
    """
    hub = extras.require("huggingface_hub", extra)
    extras.go_offline_if_unreachable()
    revision = None if reference.seed is not None else reference.revision
    try:
        folder = Path(hub.snapshot_download(reference.name, revision=revision, allow_patterns=files))
    except Exception as error:
        raise missing(reference, reference.name, error) from error
    with suppress(Exception):  # a card that cannot be had states nothing
        hub.snapshot_download(reference.name, revision=folder.name, allow_patterns=_CARDS)
    return folder


def source(reference: Reference, folder: Path) -> str:
    """Where the weights come from: the local path, or the hub id with its commit."""
    if reference.seed is not None:
        return "random weights"
    return str(reference.path) if reference.path else _at(reference.name, folder.name)


def source_in_cache(name: str) -> str:
    """The hub id, `ORG/NAME` or `ORG/NAME@REVISION`, of what a library has fetched by itself, with its commit."""
    name, _, revision = name.partition("@")
    with suppress(OSError):
        return _at(name, (_place(name) / "refs" / (revision or "main")).read_text("utf-8").strip())
    return name


def licence_of(reference: Reference, folder: Path) -> Licence:
    """What the model card or a LICENSE file of a local folder, or of a hub id's, states."""
    found = licence.of_folder(folder)
    if reference.path is not None or not found.source:
        return found
    return replace(found, source=f"{Path(found.source).name} of {reference.name}")


def missing(reference: Reference, name: str, error: Exception) -> WeightsError:
    """The error for what is neither a local path nor in the cache nor to be had. `name` is the hub's."""
    said = f"{reference} cannot be loaded: {_reason(error)}."
    if type(error).__name__ == "HFValidationError":
        return WeightsError(said, expected="A local path, or a hub id: ORG/NAME.", do=f"Here is {Path.cwd()}.")
    place = _place(name)
    return WeightsError(
        said,
        expected=f"It was looked for as a local path, in the hub's cache {place.parent}, and on the hub.",
        do=f"Check the id. Without a connection, run `hf download {name}` where there is one and copy {place.name} "
        f"from the cache there into the cache here, or give a local path: {reference.provider}:PATH",
    )


def _place(name: str) -> Path:
    """Where a hub id lies in the cache."""
    cache = extras.require("huggingface_hub.constants", "hf").HF_HUB_CACHE
    return Path(cache) / f"models--{name.replace('/', '--')}"


def _at(name: str, commit: str) -> str:
    return f"{name}, revision {commit[:_SHORT]}"


def explains(error: Exception) -> bool:
    """Whether it is one of the hub's, raised because something is not there."""
    return _known(error) is not None


def _reason(error: Exception) -> str:
    return _known(error) or (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _known(error: Exception) -> str | None:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next((_REASONS[kind] for kind in _REASONS if kind in kinds), None)
