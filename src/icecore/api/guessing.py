"""Data whose modality nobody said: read as the first that it can be."""

from __future__ import annotations

from itertools import islice
from typing import Any

from icecore.data import IMAGE, Dataset, modalities, read
from icecore.errors import DataError

_LOOKED_AT = 20


def read_as_any(data: Any, **options: Any) -> Dataset:
    """A data set of images, or else of what it can be. Raises the DataError of images where it is nothing.

    Texts are believed to be texts where some of the first have more than one word, or lie in files of their own.
    """
    try:
        return read(data, modality=IMAGE.name, **options)
    except DataError as error:
        others = [modality for modality in modalities() if modality.name != IMAGE.name]
        for modality in sorted(others, key=lambda each: each.strings == "text"):
            try:
                found = read(data, modality=modality.name, **options)
            except DataError:
                continue
            if modality.strings == "file" or _are_texts(found):
                return found
        raise error from None


def _are_texts(dataset: Dataset) -> bool:
    first = list(islice(iter(dataset.inputs), _LOOKED_AT))
    return any(item.kind == "file" or len(str(item.value).split()) > 1 for item in first)
