"""Preprocessing for weights that carry none: `preprocess.json` beside them."""

from __future__ import annotations

from pathlib import Path

from icecore.backbones.base import Preprocessing
from icecore.data import preprocessing_from_file

SIDECAR = "preprocess.json"


def preprocessing_beside(file: Path | None) -> Preprocessing | None:
    """`preprocess.json` in the folder of a weights file; None where there is none. Raises PreprocessingError."""
    if file is None:
        return None
    path = file.expanduser().parent / SIDECAR
    return preprocessing_from_file(path) if path.is_file() else None
