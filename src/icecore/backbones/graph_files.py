"""What providers of graphs in single files share: the file itself, its digest, its copy in an artifact."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from icecore import keys
from icecore.backbones.base import Preprocessing
from icecore.backbones.reference import Reference
from icecore.backbones.sidecar import preprocessing_beside
from icecore.errors import PreprocessingError, WeightsError


def file_of(reference: Reference) -> Path:
    """The file that an id names. Raises WeightsError where there is none, and for a revision, which files have not."""
    path = reference.path
    if reference.revision is not None:
        raise WeightsError(
            f"{reference} asks for {reference.revision!r}, and a graph in a file has the weights that it has.",
            do=f"Leave @{reference.revision} out.",
        )
    if path is None or not path.is_file():
        raise WeightsError(
            f"There is no file {reference.name}.", expected=f"A path on this machine: {reference.provider}:FILE"
        )
    return path


def digest_of(files: Sequence[Path]) -> str:
    """Hash of files, each whole."""
    return keys.key("files", [keys.row_of_file(file).hex() for file in files])


def copy(files: Sequence[Path], folder: Path, name: str) -> None:
    """Copy files into a folder, the first under a name of its own."""
    shutil.copyfile(files[0], folder / name)
    for file in files[1:]:
        shutil.copyfile(file, folder / file.name)


def preprocessing_for(given: Preprocessing | None, path: Path, known: str) -> Preprocessing:
    """What was given, or lies beside the file. Raises PreprocessingError, which says what is `known` of the input."""
    found = given or preprocessing_beside(path)
    if found is None:
        raise PreprocessingError(
            f"{path} does not say how its inputs were prepared in training, and icecore does not guess. {known}",
            expected="A preprocess.json beside the file, or --preprocess FILE (preprocess= in Python).",
            do='For images for instance {"resize": "exact", "resize_size": 224, "mean": [0.485, 0.456, 0.406], "std": '
            '[0.229, 0.224, 0.225]}, with "channels_last": true where they come last; for arrays that go in as they '
            'are {"type": "tensor.v1"}.',
        )
    return found
