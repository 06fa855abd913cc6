"""Parquet: each column is read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from icecore.data.table_file import TableFile
from icecore.data.values import ArrowValues, Values

if TYPE_CHECKING:
    from pathlib import Path


def read_parquet(path: Path) -> TableFile:
    """A Parquet file. Raises pyarrow.ArrowInvalid where it is none."""
    return TableFile(_Columns(path))


class _Columns(Mapping[str, Values]):
    def __init__(self, path: Path) -> None:
        self._path, self._names = path, list(dict.fromkeys(pq.read_schema(path).names))
        self._read: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            # A file, not a data set: the folder's name may look like a partition (`label=cat`) and is no column.
            self._read[name] = ArrowValues(pq.ParquetFile(self._path).read(columns=[name]).column(name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
