"""Write an artifact: into a folder beside, then in one rename. No pickle anywhere."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from icecore import backbones
from icecore.artifact.card import card
from icecore.artifact.schema import BACKBONE, CARD, HEADS, MANIFEST, Manifest
from icecore.backbones import Extractor
from icecore.errors import ArtifactError


def save(
    path: Path,
    manifest: Manifest,
    arrays: Mapping[str, np.ndarray],
    *,
    backbone: Extractor,
    include_backbone: bool,
) -> None:
    """Write a finished predictor. An artifact that is there is replaced; anything else there is an error.

    Raises ArtifactError, BackboneError where the backbone cannot be included.
    """
    require_writable(path)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        _write(aside, manifest, arrays, backbone, include_backbone)
        _swap(aside, path)
    except OSError as error:
        raise ArtifactError(f"The model cannot be written to {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def require_writable(path: Path) -> None:
    """Raise ArtifactError where something lies that is no artifact: nothing of the user's is ever replaced."""
    if path.exists() and not (path / MANIFEST).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise ArtifactError(
            f"{path} exists and is no icecore model.",
            expected="A new name, an empty folder, or a model to replace.",
            do="Choose another --out.",
        )


def _write(
    folder: Path, manifest: Manifest, arrays: Mapping[str, np.ndarray], backbone: Extractor, include: bool
) -> None:
    folder.mkdir(parents=True)
    if include:
        backbones.save(backbone, folder / BACKBONE)
        manifest = manifest.model_copy(update={"backbone": manifest.backbone.model_copy(update={"included": True})})
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / HEADS)
    (folder / CARD).write_text(card(manifest), "utf-8")
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")


def _swap(aside: Path, path: Path) -> None:
    if not path.exists():
        aside.rename(path)
        return
    old = path.with_name(f"{aside.name}.old")
    path.rename(old)
    aside.rename(path)
    shutil.rmtree(old, ignore_errors=True)
