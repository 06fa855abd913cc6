"""`read`: any source -> a `Dataset`, through whichever reader accepts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icecore import plugins
from icecore.data.items import Dataset, printable
from icecore.data.modalities import modality_named
from icecore.data.readers import Reader, ReadOptions
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = ("webdataset", "huggingface", "folder", "frame", "sequence", "table")  # in the order in which they are asked


def read(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    input_col: str | Sequence[str] | None = None,
    y: Any = None,
    labelled: bool | None = None,
    modality: str = "image",
    group: str | None = None,
    groups: Any = None,
) -> Dataset:
    """Read what the user has.

    Args:
        source: a folder (with class folders or without), a table (.csv .tsv .parquet .jsonl .ndjson), one media file;
            WebDataset tars (one, a pattern, a list); a Hugging Face data set in memory or saved to a folder; a list of
            paths, arrays, file contents or PIL images; an array (n, height, width[, channels]); a pandas or polars data
            frame; or a `Dataset`, which is returned as it is. Where the inputs are texts, a list holds texts, and a
            string of several words that is no path is one; without labels also a single word that looks like none.
        target: column, or columns, to predict; guessed where None.
        input_col: column of inputs; several, also as one string with commas, where an input has several parts (an image
            and a text). Guessed where None.
        y: targets for each row, where the source does not hold them.
        labelled: True when targets must be there, False when they are not wanted, None for "where there are any".
        modality: what the inputs are.
        group: column whose rows of one value belong together, such as all of one patient.
        groups: the same given beside the data, one value a row.

    Raises:
        DataError: there is no such source, it holds nothing, or a column or the targets are missing.
        UsageError: there is no such modality.

    Example:
        >>> import numpy as np
        >>> data = read(np.zeros((2, 8, 8, 3), np.uint8), y=["cat", "dog"])
        >>> len(data), data.targets["label"].tolist()
        (2, ['cat', 'dog'])
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, str) and not source:  # to Path it would be the working folder
        raise DataError("Got an empty path.", expected="A folder, a table or a media file.")
    if isinstance(source, str) and labelled is not True and _is_text(source, modality, alone=labelled is False):
        source = [source]
    source = Path(source).expanduser() if isinstance(source, str | os.PathLike) else source
    columns = (target,) if isinstance(target, str) else tuple(target or ())
    inputs = input_col if isinstance(input_col, str | None) else ",".join(input_col)
    options = ReadOptions(columns, inputs, y, labelled, modality_named(modality), group, groups)
    for reader in _readers():
        if reader.accepts(source):
            return reader.read(source, options)
    raise _unknown(source)


def _is_text(source: str, modality: str, *, alone: bool) -> bool:
    """Whether a string is the input itself: no path, and of several words; or, where a single input can be meant
    (`alone`), one that looks like no path either.
    """
    words = 1 if alone and not any(sign in source for sign in "./\\*{") else 2
    if modality_named(modality).strings != "text" or len(source.split()) < words:
        return False
    try:
        return not Path(source).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long for a name, or with a NUL in it
        return True


def _readers() -> list[Reader]:
    """Plug-ins before the built-in ones, so that a more special reader can win."""
    names = plugins.names("readers")
    ordered = [name for name in names if name not in _OWN] + [name for name in _OWN if name in names]
    return [plugins.get("readers", name) for name in ordered]


def _unknown(source: Any) -> DataError:
    if isinstance(source, Path):
        return _unknown_path(source)
    return DataError(
        f"Got data of type {type(source).__name__}.",
        expected="Data is a folder, a table, a media file, a list of paths, arrays or PIL images, an array "
        "(n, height, width[, channels]) or a data frame.",
    )


def _unknown_path(path: Path) -> DataError:
    name = printable(str(path))
    if not path.exists():
        return DataError(f"There is no file or folder {name}.", do="Check the path.")
    return DataError(
        f"The file {name} is neither a table nor a file of a known kind.",
        expected="Tables end in .csv, .tsv, .parquet, .jsonl or .ndjson; images in .jpg, .png and the like.",
        do="Rename it, convert it, or give its path in a list.",
    )
