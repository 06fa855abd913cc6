"""Data whose modality nobody said: read as the first that it can be."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

from icecore.backbones import Extractor
from icecore.data import IMAGE, Dataset, modalities, modality_named, modality_of_files, read
from icecore.errors import DataError

_LOOKED_AT = 20


def read_as_any(data: Any, **options: Any) -> Dataset:
    """A data set of images, or else of what it can be. Raises DataError where it is nothing.

    Paths say by their endings what they lead to. Texts are believed to be texts where some of the first have more than
    one word, or lie in files of their own. The error is that of the modality that the data are without their labels,
    or else of images.
    """
    found, errors = _tried(data, **options)
    if found is not None:
        return found
    bare, _ = _tried(data, **options | {"labelled": False, "target": None, "y": None})
    raise errors[IMAGE.name if bare is None else bare.modality] from None


def read_for(backbone: Extractor, data: Any, **options: Any) -> Dataset:
    """A data set of what a network takes. Raises DataError, which says so where the data are something else."""
    try:
        return read(data, modality=backbone.modality, **options)
    except DataError as error:
        path = isinstance(data, str | os.PathLike) and Path(data).expanduser().exists()
        found = _tried(data, labelled=False)[0] if path else None
        if found is None or found.modality == backbone.modality:
            raise
        holds, takes = (modality_named(name).noun for name in (found.modality, backbone.modality))
        raise DataError(
            f"{found.source} holds {holds}, and {backbone.id} takes {takes}.", do=f"Choose a network for {holds}."
        ) from error


def _tried(data: Any, **options: Any) -> tuple[Dataset | None, dict[str, DataError]]:
    """The data as the first modality that they can be, or why they are none, by modality."""
    errors: dict[str, DataError] = {}
    for modality in sorted(modalities(), key=lambda each: (each.name != IMAGE.name, each.strings == "text")):
        try:
            found = read(data, modality=modality.name, **options)
        except DataError as error:
            errors[modality.name] = error
            continue
        if modality.name == IMAGE.name:
            named = modality_of_files([item.name for item in _first(found) if item.kind == "file"])
            return found if named in (None, IMAGE) else read(data, modality=named.name, **options), errors
        if len(found) and (modality.strings == "file" or _are_texts(found)):
            return found, errors
        errors[modality.name] = DataError(f"{found.source} holds no {modality.noun}.")
    return None, errors


def _first(dataset: Dataset) -> list[Any]:
    return list(islice(iter(dataset.inputs), _LOOKED_AT))


def _are_texts(dataset: Dataset) -> bool:
    """Whether some of the first are files, or have several words and are no paths of other files."""
    media = {ending for modality in modalities() for ending in modality.extensions}
    return any(
        item.kind == "file" or (len(str(item.value).split()) > 1 and Path(str(item.value)).suffix.lower() not in media)
        for item in _first(dataset)
    )
