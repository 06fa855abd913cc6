"""Data whose modality nobody said: read as the first that it can be."""

from __future__ import annotations

from itertools import islice
from typing import Any

from icecore.data import IMAGE, Dataset, modalities, modality_of_files, read
from icecore.errors import DataError

_LOOKED_AT = 20


def read_as_any(data: Any, **options: Any) -> Dataset:
    """A data set of images, or else of what it can be. Raises the DataError of images where it is nothing.

    Paths say by their endings what they lead to. Texts are believed to be texts where some of the first have more than
    one word, or lie in files of their own.
    """
    try:
        found = read(data, modality=IMAGE.name, **options)
    except DataError as error:
        return _as_another(data, error, options)
    named = modality_of_files([item.name for item in _first(found) if item.kind == "file"])
    return found if named in (None, IMAGE) else read(data, modality=named.name, **options)


def _as_another(data: Any, error: DataError, options: dict[str, Any]) -> Dataset:
    others = [modality for modality in modalities() if modality.name != IMAGE.name]
    for modality in sorted(others, key=lambda each: each.strings == "text"):
        try:
            found = read(data, modality=modality.name, **options)
        except DataError:
            continue
        if len(found) and (modality.strings == "file" or _are_texts(found)):
            return found
    raise error from None


def _first(dataset: Dataset) -> list[Any]:
    return list(islice(iter(dataset.inputs), _LOOKED_AT))


def _are_texts(dataset: Dataset) -> bool:
    return any(item.kind == "file" or len(str(item.value).split()) > 1 for item in _first(dataset))
