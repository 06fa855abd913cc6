"""Read an artifact back, and refuse what is damaged, newer, or made for another network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load as unpacked

from icecore.artifact import changes
from icecore.artifact.ensemble import EnsemblePredictor
from icecore.artifact.evidence import EVIDENCE
from icecore.artifact.familiar import FAMILIAR
from icecore.artifact.files import read_checked
from icecore.artifact.predictor import Predictor
from icecore.artifact.reference import check, resolve
from icecore.artifact.schema import HEADS, MANIFEST, SCHEMA, Manifest, MemberRef
from icecore.backbones import Extractor, Licence, licence
from icecore.errors import ArtifactError
from icecore.tasks import AnyHead, task_of


def read_manifest(path: Path) -> Manifest:
    """The manifest of a saved model. Raises ArtifactError."""
    file = path / MANIFEST
    if not file.is_file():
        raise ArtifactError(f"{path} is no icecore model: it holds no {MANIFEST}.", do="Make one with `icecore fit`.")
    content = file.read_bytes()
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        schema = _schema(content)
        if isinstance(schema, int) and schema > SCHEMA:
            raise ArtifactError(
                f"{path} was made by a newer icecore: its manifest has schema {schema}.",
                expected=f"This version reads schema {SCHEMA}.",
                do="Update icecore.",
            ) from error
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ArtifactError(
            f"{file} is damaged ({where}: {first['msg']}).", do="Copy the model again, or fit again."
        ) from error


def _schema(content: bytes) -> Any:
    try:
        return json.loads(content)["schema_version"]
    except (ValueError, KeyError, TypeError):
        return None


def load(
    path: Path,
    *,
    backbone: Extractor | str | None = None,
    device: str | None = None,
    engine: str = "auto",
    trust_remote_code: bool = False,
    require_licence: str | None = None,
) -> Predictor:
    """Load a saved model and check that the backbone it finds is the one that it was trained on.

    Args:
        path: the artifact's folder.
        backbone: the same network elsewhere: an id, or one that is already loaded.
        device: where it runs.
        engine: what runs it.
        trust_remote_code: see `icecore.backbones.load`.
        require_licence: see `icecore.backbones.load`.

    Raises ArtifactError, HeadError, FingerprintError, LicenceError.
    """
    manifest = read_manifest(path)
    how: dict[str, Any] = {"device": device, "engine": engine, "trust_remote_code": trust_remote_code}
    if manifest.members:
        _require_own_networks(path, backbone)
        members = [_member(path, member, **how, require_licence=require_licence) for member in manifest.members]
        return EnsemblePredictor(manifest, members, evidence=_kept(path / EVIDENCE))
    reference = manifest.network
    licence.require(Licence(reference.licence), require_licence, reference.id)
    fitted = _heads(path, manifest)
    if backbone is None or isinstance(backbone, str):
        backbone = resolve(reference, path, override=backbone, **how)
    made = changes.read(manifest.changes, path)
    tuned = changes.applied(backbone, made, str(path))
    check(reference, tuned, path)
    kept = {"evidence": _kept(path / EVIDENCE), "typical": _kept(path / FAMILIAR)}
    return Predictor(manifest, tuned, fitted, changes=made, base=backbone, **kept)


def _member(path: Path, member: MemberRef, **how: Any) -> Predictor:
    """A model of an ensemble. Raises what `load` does, and ArtifactError where it is not the one that was saved."""
    folder = path / member.folder
    read_checked(folder / MANIFEST, member.digest, bytes, "make the ensemble")
    return load(folder, **how)


def _require_own_networks(path: Path, backbone: Extractor | str | None) -> None:
    if backbone is not None:
        raise ArtifactError(
            f"One network was named for {path}, an ensemble of models on several.",
            expected="Each of its networks where it was when its model was fitted, or in the model's own folder.",
            do="Leave --backbone out; an ensemble made with --include-backbone carries its networks.",
        )


def _kept(file: Path) -> Any:
    """A file that need not be there, to be read when it is asked for."""
    return file.absolute() if file.is_file() else None


def _heads(path: Path, manifest: Manifest) -> dict[str, AnyHead]:
    arrays = read_checked(path / HEADS, manifest.heads, unpacked, "fit")
    return {
        target.name: task_of(target.task, target.classes).restore(target.head, _of(arrays, f"{number}."))
        for number, target in enumerate(manifest.targets)
    }


def _of(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
