"""Columns of a source, whatever holds them: read one value at a time, tell what is missing, become targets.

A million texts in an Arrow array stay an Arrow array; a Python object is made of a value only when it is asked for.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray


class Values(Protocol):
    """One column: n values, of any kind."""

    def __len__(self) -> int:
        """How many values."""
        ...

    def __getitem__(self, row: int, /) -> Any:
        """The value at a position, as a Python object."""
        ...

    def missing(self) -> NDArray[np.bool_]:
        """True where there is no value: null, NaN or an empty string. Shape (n,)."""
        ...

    def target(self) -> NDArray[Any]:
        """As targets, shape (n,): float64 where the values are fractional numbers, else objects: texts, or, of values
        in Python, whole numbers and truth values as they are.
        """
        ...


class ListValues:
    """Values in a Python sequence or an array, whose first axis counts them."""

    def __init__(self, values: Sequence[Any] | NDArray[Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, row: int, /) -> Any:
        return self._values[row]

    def missing(self) -> NDArray[np.bool_]:
        """True where a value is None, NaN, NaT or an empty string. Shape (n,)."""
        if isinstance(self._values, np.ndarray) and self._values.ndim > 1:
            return np.zeros(len(self), bool)
        return np.fromiter((is_missing(value) for value in self._values), bool, len(self))

    def target(self) -> NDArray[Any]:
        """float64 where all are numbers and any is a float; else int, bool, str objects; lists as JSON. Shape (n,)."""
        present = [value for value in self._values if not is_missing(value)]
        if any(isinstance(v, float | np.floating) for v in present) and all(_is_number(v) for v in present):
            return np.array([math.nan if is_missing(value) else float(value) for value in self._values])
        kind = _kind_of(present)
        return _objects("" if is_missing(value) else kind(value) for value in self._values)


class ArrowValues:
    """Values in an Arrow column. Of `{bytes, path}` records, as data sets store media, the bytes, else the path."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column, self._paths = _plain(column), _paths(column)
        self._binary = _is_binary(self._column.type)

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: int, /) -> Any:
        value = self._column[int(row)]
        if self._paths is not None and not value.is_valid:
            return self._paths[row]
        # Content of media is not copied until it is decoded.
        return memoryview(value.as_buffer()) if self._binary and value.is_valid else value.as_py()

    def missing(self) -> NDArray[np.bool_]:
        """True where a value is null, NaN or an empty string. Shape (n,)."""
        if self._paths is not None:
            return np.asarray(pc.is_null(self._column).to_numpy(), bool) & self._paths.missing()
        mask = pc.is_null(self._column, nan_is_null=True)
        if _is_text(self._column.type):
            mask = pc.or_(mask, pc.equal(pc.fill_null(self._column, ""), ""))
        return np.asarray(mask.to_numpy(), bool)

    def target(self) -> NDArray[Any]:
        """float64 for floats and decimals, else str objects, equal ones shared, lists as JSON. Shape (n,)."""
        if pa.types.is_floating(self._column.type) or pa.types.is_decimal(self._column.type):
            return np.asarray(pc.cast(self._column, pa.float64()).to_numpy())
        if _is_list(self._column.type):
            return _objects("" if value is None else as_json(value) for value in self._column.to_pylist())
        if not len(self):  # no chunk: Arrow cannot join none into a dictionary
            return np.empty(0, object)
        encoded = pc.dictionary_encode(self._column).combine_chunks()
        words = _objects(["", *(str(value) for value in encoded.dictionary.to_pylist())])
        codes: NDArray[Any] = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        targets: NDArray[Any] = words[codes + 1]
        return targets


def is_missing(value: Any) -> bool:
    """Whether a single value is none at all. Anything unequal to itself (NaN, NaT) is missing."""
    if value is None or (isinstance(value, str) and not value):
        return True
    if isinstance(value, float | np.floating):
        return bool(value != value)  # noqa: PLR0124 - only NaN differs from itself, for any kind of float
    return type(value).__name__ in ("NaTType", "NAType")  # pandas' own, without importing it


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def as_json(values: Any) -> str:
    """Several labels of one row as a list in JSON; those of a set sorted.

    Example:
        >>> as_json(("cat", 3)), as_json({"b", "a"})
        ('["cat", 3]', '["a", "b"]')
    """
    listed = sorted(values, key=str) if isinstance(values, set | frozenset) else list(values)
    return json.dumps([value.item() if isinstance(value, np.generic) else value for value in listed], default=str)


def _kind_of(values: Sequence[Any]) -> Callable[[Any], Any]:
    """bool or int where all the values are that, else str: labels of mixed kinds are told apart by their text."""
    if not values:
        return str
    if any(isinstance(value, list | tuple | set | frozenset | np.ndarray) for value in values):
        return _text_or_json
    if all(isinstance(value, bool | np.bool_) for value in values):
        return bool
    whole = all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in values)
    return int if whole else str


def _text_or_json(value: Any) -> str:
    return as_json(value) if isinstance(value, list | tuple | set | frozenset | np.ndarray) else str(value)


def _objects(values: Iterable[Any]) -> NDArray[Any]:
    """An object array of values of one kind, in which equal ones are one object."""
    seen: dict[Any, Any] = {}
    shared = [seen.setdefault(value, value) for value in values]
    array = np.empty(len(shared), object)
    array[:] = shared
    return array


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_binary(kind: pa.DataType) -> bool:
    of = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(is_one(kind) for is_one in of)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without dictionaries and extension types; of a `{bytes, path}` record the bytes."""
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    if isinstance(column.type, pa.BaseExtensionType):
        return _plain(pc.cast(column, column.type.storage_type))
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        return pc.struct_field(column, "bytes")
    return column


def _paths(column: pa.ChunkedArray) -> ArrowValues | None:
    """The paths of `{bytes, path}` records."""
    kind = column.type
    if not pa.types.is_struct(kind) or min(kind.get_field_index("bytes"), kind.get_field_index("path")) < 0:
        return None
    return ArrowValues(pc.struct_field(column, "path"))


class TakenValues:
    """Some of the values of a column, in another order.

    Args:
        values: the column.
        index: positions in it, shape (n,).
    """

    def __init__(self, values: Values, index: NDArray[Any]) -> None:
        self._values, self._index = values, index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int, /) -> Any:
        return self._values[int(self._index[row])]

    def missing(self) -> NDArray[np.bool_]:
        """True where there is no value. Shape (n,)."""
        mask: NDArray[np.bool_] = self._values.missing()[self._index]
        return mask

    def target(self) -> NDArray[Any]:
        """As targets, shape (n,)."""
        targets: NDArray[Any] = self._values.target()[self._index]
        return targets
