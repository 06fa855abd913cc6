"""Data frames: pandas, polars and Arrow tables, without importing the first two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from icecore.data.assemble import assemble
from icecore.data.columns import roles
from icecore.data.labels import as_column, is_frame
from icecore.data.tuples import input_values
from icecore.data.values import ArrowValues, Values
from icecore.errors import DataError

if TYPE_CHECKING:
    from icecore.data.items import Dataset
    from icecore.data.readers import ReadOptions


class FrameReader:
    """Reads a data frame. Rows are counted by position, whatever the index; paths start at the working folder."""

    def accepts(self, source: Any) -> bool:
        """A pandas or polars data frame, or an Arrow table."""
        return isinstance(source, pa.Table) or is_frame(source)

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError where a column that is needed is not there."""
        columns = _columns(source)
        name = f"the {'table' if isinstance(source, pa.Table) else 'data frame'}"
        chosen = roles(columns, options, source=name, base="")
        return assemble(
            input_values(columns, chosen.input),
            options,
            source=name,
            targets={target: columns[target] for target in chosen.targets},
            splits=columns[chosen.split] if chosen.split else None,
            groups=columns[chosen.group] if chosen.group else None,
            notes=chosen.notes,
        )


reader = FrameReader()


def _columns(frame: Any) -> dict[str, Values]:
    names = list(frame.column_names) if isinstance(frame, pa.Table) else list(frame.columns)
    texts = [str(name) for name in names]
    if len(set(texts)) < len(texts):
        twice = sorted({name for name in texts if texts.count(name) > 1})
        raise DataError(f"The data frame has more than one column called {', '.join(twice)}.", do="Rename them.")
    if isinstance(frame, pa.Table):
        return {name: ArrowValues(frame.column(name)) for name in names}
    return {text: as_column(frame[name]) for text, name in zip(texts, names, strict=True)}
