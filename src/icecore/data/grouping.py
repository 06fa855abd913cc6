"""Groups: rows that belong together, such as all photographs of one patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.data.labels import as_column
from icecore.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.readers import ReadOptions
    from icecore.data.values import Values


def group_numbers(column: Values | None, options: ReadOptions, n: int, source: str) -> NDArray[Any] | None:
    """A number for each of n rows, equal where they belong together; a row without a value stands alone.

    Raises DataError where a column was named and there is none, and where another number of values was given.
    """
    if options.labelled is False or (options.group is None and options.groups is None):
        return None
    values = column if options.groups is None else as_column(options.groups)
    if values is None:
        raise DataError(
            f"{source} has no column {options.group!r} to group by.",
            expected="A table, a data frame or a data set with such a column.",
            do="Give a table, or in Python the groups themselves (groups=), one for each row.",
        )
    if len(values) != n:
        raise DataError(
            f"Got {len(values)} groups for {n} rows of {source}.", expected="One for each row, in the same order."
        )
    numbers: dict[str, int] = {}
    missing = values.missing()
    own = (f"row {row}" if missing[row] else f"value {values[row]!r}" for row in range(n))
    return np.fromiter((numbers.setdefault(name, len(numbers)) for name in own), dtype=np.int64, count=n)
