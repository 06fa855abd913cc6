"""Write an artifact: into a folder beside, then in one rename. No pickle anywhere."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import save as packed

from icecore import backbones, keys
from icecore.artifact.card import card
from icecore.artifact.changes import Change, write
from icecore.artifact.evidence import Evidence, write_evidence
from icecore.artifact.familiar import write_typical
from icecore.artifact.schema import BACKBONE, CARD, FLOAT32, HEADS, MANIFEST, Manifest, TargetRef
from icecore.artifact.swapping import exchange
from icecore.backbones import Extractor
from icecore.errors import ArtifactError
from icecore.evaluation import Typicality


def save(
    path: Path,
    manifest: Manifest,
    arrays: Mapping[str, np.ndarray],
    *,
    backbone: Extractor,
    changes: Sequence[Change] = (),
    evidence: Evidence | None = None,
    typical: Mapping[str, Typicality] | None = None,
    include_backbone: bool,
) -> None:
    """Write a finished predictor. An artifact that is there is replaced; anything else there is an error.

    Raises ArtifactError, BackboneError where the backbone cannot be included.
    """
    with replacing(path) as aside:
        _write(aside, manifest, arrays, changes, evidence=evidence, included=backbone if include_backbone else None)
        names = [target.name for target in manifest.targets]
        write_typical(typical or {}, names, aside, manifest.data.fingerprint)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A folder beside, which takes the place of an artifact in one step when all is written. Raises ArtifactError."""
    require_writable(path)
    path = path.resolve()
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.mkdir(parents=True)
        yield aside
        _swap(aside, path)
    except OSError as error:
        raise ArtifactError(f"The model cannot be written to {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def require_writable(path: Path) -> None:
    """Raise ArtifactError where something lies that is no artifact (nothing of the user's is ever replaced), and where
    nothing can be written.
    """
    if path.exists() and not (path / MANIFEST).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise ArtifactError(
            f"{path} exists and is no icecore model.",
            expected="A new name, an empty folder, or a model to replace.",
            do="Choose another --out.",
        )
    above = next(folder for folder in path.resolve().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ArtifactError(f"The model cannot be written to {path}: {above} is no folder that you may write to.")


def _write(
    folder: Path,
    manifest: Manifest,
    arrays: Mapping[str, np.ndarray],
    changes: Sequence[Change],
    *,
    evidence: Evidence | None,
    included: Extractor | None,
) -> None:
    if included is not None:
        backbones.save(included, folder / BACKBONE)
    backbone = manifest.network.model_copy(update={"included": included is not None})
    manifest = manifest.model_copy(update={"backbone": backbone})
    if changes:
        manifest = manifest.model_copy(update={"changes": write(changes, folder)})
    heads = packed({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    manifest = manifest.model_copy(update={"heads": keys.row_of_bytes(heads).hex()})
    (folder / HEADS).write_bytes(heads)
    write_about(manifest, evidence, folder)


def write_about(manifest: Manifest, evidence: Evidence | None, folder: Path) -> None:
    """Write what a model says of itself: manifest, model card, evidence where there is some."""
    manifest = manifest.model_copy(update={"schema_version": _version(manifest)})
    if evidence is not None:
        write_evidence(evidence, folder, manifest.data.fingerprint)
    (folder / CARD).write_text(card(manifest, with_evidence=evidence is not None), "utf-8")
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1, exclude=_news(manifest)), "utf-8")


def _version(manifest: Manifest) -> Literal[1, 2, 3, 4]:
    """The lowest version of the schema that can say all of it."""
    if manifest.members:
        return 4
    if any(_is_new(target) for target in manifest.targets):
        return 3
    return 2 if manifest.changes or manifest.network.precision != FLOAT32 else 1


def _is_new(target: TargetRef) -> bool:
    return target.task != "classification" or bool(target.sources) or target.interval is not None


def _news(manifest: Manifest) -> dict[str, Any]:
    """What versions that know only the manifest's schema do not know, where it says nothing."""
    if manifest.members:
        return {"backbone": True, "heads": True, "changes": True}
    news: dict[str, Any] = {"members": True}
    if manifest.schema_version < 3:
        news["targets"] = {"__all__": {"sources", "interval"}}
    if manifest.schema_version < 2:
        news |= {"changes": True, "backbone": {"precision": True}}
    return news


def _swap(aside: Path, path: Path) -> None:
    """Put the new folder in its place. What was there is then `aside`, and is removed."""
    if path.exists():
        exchange(aside, path)
    else:
        aside.rename(path)
