"""JSON lines: one object a line. Values become text as they are written, so a label "01" stays "01"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from icecore.data.items import printable
from icecore.data.table_file import TableFile
from icecore.data.values import ArrowValues
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 10_000


def read_json_lines(path: Path) -> TableFile:
    """A file of JSON lines, as Arrow columns of text, or of numbers where all are numbers and any is fractional.

    Keys need not be the same in every line: what is not there is null. Raises DataError with the number of a bad line.
    """
    columns: dict[str, GrowingColumn] = {}
    rows = 0
    for record in _records(path):
        for name, value in record.items():
            columns.setdefault(name, GrowingColumn()).put(rows, value)
        rows += 1
    return TableFile({name: ArrowValues(column.finish(rows)) for name, column in columns.items()})


class GrowingColumn:
    """A column that grows. Text is moved into Arrow chunk by chunk, which holds it in a quarter of Python's memory."""

    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []
        self._open: list[str | None] = []
        self._fractional, self._numeric = False, True
        self._rows = 0

    def put(self, row: int, value: Any) -> None:
        """Set the value of a row after all that have one; rows between are null."""
        self._pad(row)
        self._fractional |= isinstance(value, float)
        self._numeric &= value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        self._push(_text(value))

    def finish(self, rows: int) -> pa.ChunkedArray:
        """The column, that many rows long."""
        self._pad(rows)
        text = pa.chunked_array([*self._chunks, pa.array(self._open, pa.string())])
        return text.cast(pa.float64()) if self._fractional and self._numeric else text

    def _pad(self, rows: int) -> None:
        while self._rows < rows:
            self._push(None)

    def _push(self, text: str | None) -> None:
        self._open.append(text)
        self._rows += 1
        if len(self._open) == _CHUNK:
            self._chunks.append(pa.array(self._open, pa.string()))
            self._open = []


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield _record(text, f"Line {number} of {printable(str(path))}")


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}.", expected="One JSON object a line.") from error
    if not isinstance(record, dict):
        raise DataError(f"{where} holds {type(record).__name__}, not an object.", expected="One JSON object a line.")
    return record


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return printable(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
