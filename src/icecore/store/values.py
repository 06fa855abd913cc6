"""Value columns: NumPy arrays on one side, Arrow arrays on the other, the same bytes underneath."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from icecore.errors import UsageError

Values: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]
_DTYPES = (np.dtype(np.float32), np.dtype(np.float16))
_NUMPY = {pa.from_numpy_dtype(dtype): dtype for dtype in (*_DTYPES, np.dtype(np.int32), np.dtype(np.int64))}
_SLICE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Pooled:
    """A column with the same number of values in every row: (n, d), float32 or float16."""

    values: NDArray[Any]

    @staticmethod
    def of(values: NDArray[Any]) -> Pooled:
        """From an array (n, d)."""
        _require_dtype(values)
        if values.ndim != 2:
            raise UsageError(
                f"Got values of shape {values.shape} for one column.",
                expected="Rows of equal length come as one array (n, d), others as a list of n arrays.",
            )
        return Pooled(np.ascontiguousarray(values))

    @staticmethod
    def from_arrow(array: Any) -> Pooled:
        """From a fixed_size_list array, without a copy."""
        return Pooled(_numpy(array.values).reshape(len(array), array.type.list_size))

    def to_arrow(self) -> Any:
        """As a fixed_size_list array, without a copy."""
        return pa.FixedSizeListArray.from_arrays(flat_arrow(self.values), self.values.shape[1])

    def checksum(self, code: int = 0) -> int:
        """CRC-32 of the values and of how they are to be read, continued from `code`."""
        return _crc(self.values, code)

    def __len__(self) -> int:
        return len(self.values)

    def row(self, i: int) -> NDArray[np.float32]:
        """One row (d,), float32."""
        row: NDArray[np.float32] = self.values[i].astype(np.float32)
        return row

    def copy_rows(self, local: NDArray[np.int64], out: NDArray[np.float32], to: NDArray[np.int64]) -> None:
        """`out[to] = values[local]`, in slices, so that no second copy of everything exists at any time."""
        step = max(1, _SLICE_BYTES // max(1, self.values[:1].nbytes))
        for start in range(0, len(to), step):
            piece = slice(start, start + step)
            out[_as_slice(to[piece])] = self.values[_as_slice(local[piece])]


@dataclass(frozen=True, slots=True)
class Ragged:
    """A column with an array of its own shape in every row."""

    values: NDArray[Any]
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int32]
    shape_offsets: NDArray[np.int32]

    @staticmethod
    def of(arrays: Sequence[NDArray[Any]]) -> Ragged:
        """From n arrays of any shapes."""
        for array in arrays:
            _require_dtype(array)
        flat = [np.ascontiguousarray(array).reshape(-1) for array in arrays]
        shapes = [np.array(array.shape, np.int32) for array in arrays]
        return Ragged(
            np.concatenate(flat),
            _offsets(flat).astype(np.int64),
            np.concatenate(shapes),
            _offsets(shapes).astype(np.int32),
        )

    @staticmethod
    def from_arrow(array: Any) -> Ragged:
        """From a struct array of values and shape, without a copy."""
        lists, shapes = array.field("values"), array.field("shape")
        return Ragged(*map(_numpy, (lists.values, lists.offsets, shapes.values, shapes.offsets)))

    def to_arrow(self) -> Any:
        """As a struct array of values (large_list) and shape (list), without a copy."""
        lists = pa.LargeListArray.from_arrays(flat_arrow(self.offsets), flat_arrow(self.values))
        shapes = pa.ListArray.from_arrays(flat_arrow(self.shape_offsets), flat_arrow(self.shapes))
        return pa.StructArray.from_arrays([lists, shapes], ["values", "shape"])

    def checksum(self, code: int = 0) -> int:
        """CRC-32 of the values and of what cuts them into rows, continued from `code`."""
        for array in (self.values, self.offsets, self.shapes, self.shape_offsets):
            code = _crc(array, code)
        return code

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, i: int) -> NDArray[np.float32]:
        """One row, in its own shape, float32."""
        shape = self.shapes[self.shape_offsets[i] : self.shape_offsets[i + 1]]
        return self.values[self.offsets[i] : self.offsets[i + 1]].astype(np.float32).reshape(shape)


Column: TypeAlias = Pooled | Ragged


def column_of(values: Values) -> Column:
    """A column from what the caller has: an array (n, d), or n arrays. Raises UsageError."""
    return Pooled.of(values) if isinstance(values, np.ndarray) else Ragged.of(values)


def column_from_arrow(array: Any) -> Column:
    """A column from its Arrow array, without a copy. Raises ArrowInvalid where it is none of ours."""
    if pa.types.is_fixed_size_list(array.type):
        return Pooled.from_arrow(array)
    if pa.types.is_struct(array.type):
        return Ragged.from_arrow(array)
    raise pa.ArrowInvalid(f"a value column of type {array.type}")


def flat_arrow(array: NDArray[Any]) -> Any:
    """An Arrow array over the same memory. `pa.array` and `to_numpy` would import pandas first, for half a second."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), array.size, [None, pa.py_buffer(array)])


def _numpy(array: Any) -> NDArray[Any]:
    """A NumPy array over the same memory."""
    if array.type not in _NUMPY or array.null_count:
        raise pa.ArrowInvalid(f"{array.null_count} nulls in a column of {array.type}")
    dtype = _NUMPY[array.type]
    return np.frombuffer(array.buffers()[1] or b"", dtype, len(array), array.offset * dtype.itemsize)


def _crc(array: NDArray[Any], code: int) -> int:
    return zlib.crc32(array.data, zlib.crc32(f"{array.dtype.str}{array.shape}".encode(), code))


def _offsets(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.cumsum([0, *(array.size for array in arrays)])


def _as_slice(index: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same index as a slice where it counts upwards: copying is then one move of memory."""
    if len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        return slice(int(index[0]), int(index[0]) + len(index))
    return index


def _require_dtype(values: NDArray[Any]) -> None:
    if values.dtype not in _DTYPES:
        raise UsageError(f"Got values of dtype {values.dtype}.", expected="The store holds float32 and float16.")
