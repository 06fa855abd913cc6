"""Inputs of several parts, such as an image and a text that belong together: columns side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from icecore.data.items import Dataset, Item
from icecore.data.values import ListValues
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from icecore.data.modalities import Modality
    from icecore.data.values import Values


class TupleValues:
    """Columns of one length as a single one, whose values are tuples."""

    def __init__(self, columns: Sequence[Values]) -> None:
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, row: int, /) -> tuple[Any, ...]:
        return tuple(column[row] for column in self.columns)

    def missing(self) -> NDArray[np.bool_]:
        """True where any part is missing. Shape (n,)."""
        found: NDArray[np.bool_] = np.logical_or.reduce([column.missing() for column in self.columns])
        return found

    def target(self) -> NDArray[Any]:
        """Tuples as objects, shape (n,)."""
        values = np.empty(len(self), object)
        values[:] = [self[row] for row in range(len(self))]
        return values


def input_values(columns: Mapping[str, Values], names: str | tuple[str, ...]) -> Values:
    """The column of inputs, or several as one."""
    return columns[names] if isinstance(names, str) else TupleValues([columns[name] for name in names])


def tuples_of(values: Sequence[Any], modality: Modality) -> tuple[TupleValues, dict[int, str]]:
    """Rows in Python as columns of the modality's parts, and the reasons of those that are no tuples of so many."""
    wanted = len(modality.parts)
    reasons = {row: _no_tuple(value, modality) for row, value in enumerate(values) if not _is_tuple(value, wanted)}
    rows = [(None,) * wanted if row in reasons else value for row, value in enumerate(values)]
    return TupleValues([ListValues([value[place] for value in rows]) for place in range(wanted)]), reasons


def part_of(dataset: Dataset, place: int, modality: str) -> Dataset:
    """One part of each tuple of a data set, as inputs of their own: good ones only, without targets."""
    return Dataset(dataset.source, _Part(dataset.inputs, place), modality=modality)


class _Part(Sequence[Item]):
    """The parts at one place in tuples, made when asked for."""

    def __init__(self, tuples: Sequence[Item], place: int) -> None:
        self._tuples, self._place = tuples, place

    def __len__(self) -> int:
        return len(self._tuples)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return _Part(self._tuples[index], self._place)
        part: Item = self._tuples[index].value[self._place]
        return part


def decode_tuple(source: Any) -> Any:
    """Always raises BadItemError: each part is decoded by its own modality."""
    raise BadItemError(f"{type(source).__name__} is one input where several belong together")


def _is_tuple(value: Any, wanted: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == wanted


def _no_tuple(value: Any, modality: Modality) -> str:
    parts = ", ".join(part.name for part in modality.parts)
    what = f"{len(value)} parts" if isinstance(value, tuple | list) else type(value).__name__
    return f"got {what}, expected a tuple ({parts})"
