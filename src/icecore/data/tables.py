"""Table files: CSV, TSV, Parquet, JSON lines. Paths in them are relative to the table's own folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from icecore.data.assemble import assemble
from icecore.data.columns import roles
from icecore.data.delimited import read_delimited
from icecore.data.items import Dataset, printable
from icecore.data.json_lines import read_json_lines
from icecore.data.parquet import read_parquet
from icecore.data.tuples import input_values
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from icecore.data.readers import ReadOptions
    from icecore.data.table_file import TableFile

_READ: dict[str, Callable[[Path], TableFile]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".parquet": read_parquet,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
}


class TableReader:
    """Reads a table file with a column of inputs, and columns of targets and of splits where there are any."""

    def accepts(self, source: Any) -> bool:
        """A path of a file that ends in .csv, .tsv, .parquet, .jsonl or .ndjson."""
        return isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in _READ and Path(source).is_file()

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError where the file is damaged, has no rows, or lacks a column that is needed."""
        path = Path(source)
        name, base = printable(str(path)), path.parent
        table = _read(path)
        if table.columns and not any(map(len, table.columns.values())):
            raise DataError(f"{name} has no rows.", expected="Column names in the first line, then one line an item.")
        chosen = roles(table.columns, options, source=name, base=str(base))
        values = input_values(table.columns, chosen.input)
        return assemble(
            values,
            options,
            source=name,
            base=base,
            targets={target: table.columns[target] for target in chosen.targets},
            splits=table.columns[chosen.split] if chosen.split else None,
            groups=table.columns[chosen.group] if chosen.group else None,
            notes=(*table.notes, *chosen.notes),
            reasons=table.reasons,
        )


reader = TableReader()


def _read(path: Path) -> TableFile:
    try:
        return _READ[path.suffix.lower()](path)
    except pa.ArrowInvalid as error:
        first = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise DataError(
            f"{printable(str(path))} is not a readable {path.suffix.lower()[1:]} file: {first}.", do="Write it again."
        ) from error
    except OSError as error:
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from error
