"""Lists, arrays and series in Python: paths, arrays, file contents, PIL images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.data.assemble import assemble
from icecore.data.labels import is_frame
from icecore.data.values import ListValues
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from icecore.data.items import Dataset
    from icecore.data.readers import ReadOptions


class SequenceReader:
    """Reads a list, tuple, series or array of inputs. Every element is one row; bad ones are set aside."""

    def accepts(self, source: Any) -> bool:
        """A list, a tuple, a NumPy array, or a series with `to_list`."""
        return isinstance(source, list | tuple | np.ndarray) or (hasattr(source, "to_list") and not is_frame(source))

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError for an array that cannot be several images, and where required labels are not given."""
        values = _values(source, options.modality.name)
        kind = f"array of shape {source.shape}" if isinstance(source, np.ndarray) else type(source).__name__
        name = f"the {kind}" if isinstance(source, np.ndarray) else f"the {kind} of {len(values)}"
        if options.labelled and options.y is None:
            raise DataError(f"Got {name} without labels.", expected="One label for each row.", do="Give them as y.")
        return assemble(ListValues(values), options, source=name)


reader = SequenceReader()


def _values(source: Any, modality: str) -> Sequence[Any] | NDArray[Any]:
    if isinstance(source, np.ndarray) and modality == "array" and source.ndim > 1 and source.dtype != object:
        return source
    if isinstance(source, np.ndarray):
        return _rows(source)
    listed = source if isinstance(source, list | tuple) else source.to_list()
    return [_plain(value) for value in listed]


def _rows(array: NDArray[Any]) -> Sequence[Any] | NDArray[Any]:
    """The rows of an array; of one axis, or a column of words, its elements."""
    words = array.dtype == object or array.dtype.kind in "US"
    if array.ndim == 1 or (words and array.ndim == 2 and array.shape[1] == 1):
        return [_plain(value) for value in array.ravel().tolist()]
    if array.ndim == 3 and array.shape[2] in (3, 4):
        raise DataError(
            f"Got an array of shape {array.shape}, which looks like one image.",
            expected="Several images are an array (n, height, width[, channels]).",
            do="For one image, give a list of it: [array].",
        )
    if array.ndim not in (3, 4):
        raise DataError(
            f"Got an array of shape {array.shape}.", expected="Images are an array (n, height, width[, channels])."
        )
    return array


def _plain(value: Any) -> Any:
    """Tensors and other array-likes as NumPy arrays; PIL images, which also offer themselves as arrays, as they are."""
    if hasattr(value, "__array__") and not hasattr(value, "__array_interface__"):
        return np.asarray(value)
    return value
