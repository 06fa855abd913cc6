"""What stands where a label is missing: blanks; among numbers `NA` of R, `nan` of NumPy, `?` of old data sets.

`inf` is no number to learn either. Among words all of them may be classes, and stay so; so does `none` among whole
numbers, which may be codes of classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from icecore.data.values import Values

NO_LABEL = frozenset(("nan", "na", "n/a", "<na>", "#n/a", "nat", "null", "?"))  # as they read in small letters
_BESIDE_FRACTIONS = frozenset(("none", "missing", "unknown", "-", "--", "."))


def gaps(column: Values) -> dict[int, str]:
    """By row, why a cell is no label: blank, or a word in a column whose other values are numbers.

    Example:
        >>> from icecore.data.values import ListValues
        >>> gaps(ListValues(["1.5", "NA", "2"])), gaps(ListValues(["dog", "NA", "cat"]))
        ({1: "no label: 'NA' among numbers"}, {})
    """
    values = column.target()
    if values.dtype != object:
        return {}
    words = {value for value in set(values.tolist()) if isinstance(value, str) and value}
    blank = {word for word in words if word.isspace()}
    odd = _odd(words - blank)
    if not blank and not odd:
        return {}
    rows = np.flatnonzero(np.fromiter((value in blank or value in odd for value in values), bool, len(values)))
    return {int(row): f"no label: {values[row]!r} among numbers" if values[row] in odd else "no label" for row in rows}


def _odd(different: set[str]) -> set[str]:
    """The words among different values that are numbers otherwise."""
    odd = {value for value in different if not _is_finite(value)}
    fractions = any(not float(value).is_integer() for value in different - odd)
    words = NO_LABEL | _BESIDE_FRACTIONS if fractions else NO_LABEL
    if not odd or odd == different or not all(_is_number(value) or value.strip().lower() in words for value in odd):
        return set()
    return odd


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_finite(text: str) -> bool:
    return _is_number(text) and math.isfinite(float(text))
