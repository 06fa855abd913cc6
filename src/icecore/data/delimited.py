"""CSV and TSV: every value is text; quotes, new lines in values, a byte order mark and other separators are handled."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from icecore.data.items import printable
from icecore.data.table_file import TableFile
from icecore.data.values import ArrowValues
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD = 1 << 16
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BLOCK, _LARGEST_VALUE = 1 << 22, 1 << 26  # a line has to fit into a block


def read_delimited(path: Path) -> TableFile:
    """A CSV or TSV file. A line with too many or too few values is set aside; the others keep their rows.

    Raises DataError where it is empty, is not UTF-8 (or UTF-16 with a byte order mark), or names a column twice.
    """
    encoding, head = _head(path)
    separator, names = _header(path, head)
    try:
        table, skipped = _read(path, encoding, separator, names, _BLOCK)
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
        table, skipped = _read(path, encoding, separator, names, _LARGEST_VALUE)
    table = _with_gaps(table, sorted(skipped))
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    notes = (
        () if separator == usual else (f"Values in {printable(path.name)} are separated by {_SEPARATORS[separator]}.",)
    )
    return TableFile({name: ArrowValues(table.column(name)) for name in names}, notes, skipped)


def _head(path: Path) -> tuple[str, str]:
    with path.open("rb") as file:
        raw = file.read(_HEAD)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = raw.decode(encoding, "replace").removeprefix("\ufeff")
    if not text.strip():
        raise DataError(f"{printable(str(path))} is empty.", expected="Column names in the first line, then the data.")
    return encoding, text


def _header(path: Path, head: str) -> tuple[str, list[str]]:
    """The separator that cuts the first lines into most, equally many values; and the column names."""
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    widths = {separator: _width(head, separator) for separator in (usual, *_SEPARATORS)}
    widest = max(widths, key=lambda each: widths[each])
    separator = widest if widths[widest] > 1 else usual
    names = next(_first_rows(head, separator), head.splitlines()[:1])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{printable(str(path))} has more than one column called {', '.join(map(repr, twice))}.",
            do="Give each column a name of its own in the first line.",
        )
    return separator, names


def _width(head: str, separator: str) -> int:
    """Columns under this separator; 0 where most of the first lines disagree about them."""
    rows = list(islice(_first_rows(head, separator), 11))
    rows = rows[:-1] if len(rows) > 2 else rows  # the last may be cut off by the end of the head
    agree = sum(len(row) == len(rows[0]) for row in rows)
    return len(rows[0]) if rows and agree * 2 > len(rows) else 0


def _first_rows(head: str, separator: str) -> Iterator[list[str]]:
    """Rows that are not empty, up to the first that this separator makes no sense of."""
    try:
        yield from (row for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if row)
    except csv.Error:
        return


def _read(path: Path, encoding: str, separator: str, names: list[str], block: int) -> tuple[pa.Table, dict[int, str]]:
    """The lines as wide as they should be; and why those that are not were skipped, by row."""
    skipped: dict[int, str] = {}

    def skip(row: pa_csv.InvalidRow) -> str:
        # Rows are counted from 1, the header included, empty lines not.
        skipped[row.number - 2] = f"{row.actual_columns} values in the line, where {row.expected_columns} are expected"
        return "skip"

    try:
        table = pa_csv.read_csv(
            path,
            # One thread: only then does a bad row come with its number.
            read_options=pa_csv.ReadOptions(
                column_names=names, skip_rows_after_names=1, encoding=encoding, use_threads=False,
                block_size=block,
            ),
            parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        if "invalid UTF8" not in str(error):
            raise
        raise DataError(
            f"{printable(str(path))} is not UTF-8.", do="Save it as UTF-8; spreadsheets call it 'CSV UTF-8'."
        ) from error
    pa.default_memory_pool().release_unused()  # what parsing took goes back to the system
    return table, skipped


def _with_gaps(table: pa.Table, skipped: list[int]) -> pa.Table:
    """Empty rows put back where lines were skipped, so that no other row is shifted."""
    if not skipped:
        return table
    total = table.num_rows + len(skipped)
    kept = np.ones(total, bool)
    kept[skipped] = False
    index = np.where(kept, np.cumsum(kept) - 1, 0)
    return table.take(pa.array(index, mask=~kept))
