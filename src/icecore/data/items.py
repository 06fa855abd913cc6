"""Items and data sets: where the inputs are and what is known of them. Nothing here opens a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from icecore.data.parts import FilePart
from icecore.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icecore.data.values import Values

Kind = Literal["file", "bytes", "text", "array", "tuple"]
Strings = Literal["file", "text"]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Item:
    """One input.

    Attributes:
        row: 0-based position in the data as the user gave it, bad rows counted.
        name: as shown to people; always encodable as UTF-8.
        kind: what `value` is: the path of a file or a part of one (`FilePart`), a file's content, a text, an array (or
            another object in memory, such as a PIL image), or a tuple of items.
        value: the input itself, or where it is.
    """

    row: int
    name: str
    kind: Kind
    value: Any


@dataclass(frozen=True, slots=True)
class BadItem:
    """An input that was set aside: its row, its name as shown to people, and why."""

    row: int
    input: str
    reason: str


class Items(Sequence[Item]):
    """Items made when asked for, of a column of values and the rows that are kept of it.

    Args:
        values: the whole column, bad rows included; strings are paths relative to `base`, or texts.
        rows: positions in `values`, shape (n,).
        base: the folder that relative paths start from.
        strings: whether a string is the path of a `file` or a `text`; where values are tuples, one word for each part.
    """

    def __init__(
        self,
        values: Values,
        rows: NDArray[Any],
        *,
        base: str | os.PathLike[str] = "",
        strings: Strings | tuple[Strings, ...] = "file",
    ) -> None:
        self._values, self._rows = values, np.asarray(rows, np.int64)
        self._base, self._strings = Path(base), strings

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Items: ...
    def __getitem__(self, index: int | slice) -> Item | Items:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self.at(int(self._rows[index]))

    def __iter__(self) -> Iterator[Item]:
        return (self.at(int(row)) for row in self._rows)

    def take(self, index: NDArray[Any]) -> Items:
        """The items at these positions, in this order."""
        return Items(self._values, self._rows[index], base=self._base, strings=self._strings)

    def at(self, row: int) -> Item:
        """The item of a row of the data as the user gave it."""
        value = self._values[row]
        if isinstance(self._strings, str):
            return self._item(row, value, self._strings)
        parts = tuple(self._item(row, part, word) for part, word in zip(value, self._strings, strict=True))
        return Item(row, " + ".join(part.name for part in parts), "tuple", parts)

    def _item(self, row: int, value: Any, strings: Strings) -> Item:
        if isinstance(value, str) and strings == "text":
            return Item(row, printable(value), "text", value)
        if isinstance(value, FilePart):
            return Item(row, printable(value.name), "file", value)
        if isinstance(value, str | os.PathLike):
            return Item(row, printable(os.fspath(value)), "file", self._base / value)
        if isinstance(value, bytes | bytearray | memoryview):
            return Item(row, f"row {row}", "bytes", value)
        return Item(row, f"row {row}", "array", value)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs, what they are labelled, and what was said while reading.

    Attributes:
        source: what the data was read from, as shown to people.
        inputs: n items, often made on demand.
        targets: by name, one value an item, shape (n,): classes as objects (texts; given in Python, whole numbers and
            truth values too), or float64. Empty when unlabelled.
        splits: `train`, `val` or `test` for each item as str objects, shape (n,); None where no split was given.
        bad: what was set aside while reading (no such file, no label); not among `inputs`.
        notes: sentences to say aloud (ignored files, guessed columns).
        modality: how the items are decoded.
        groups: equal numbers for items that belong together, shape (n,); None where nobody said which do.
    """

    source: str
    inputs: Sequence[Item]
    targets: dict[str, NDArray[Any]] = field(default_factory=dict)
    splits: NDArray[Any] | None = None
    bad: tuple[BadItem, ...] = ()
    notes: tuple[str, ...] = ()
    modality: str = "image"
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        columns = {f"target {name!r}": values for name, values in self.targets.items()}
        columns |= {} if self.splits is None else {"split": self.splits}
        columns |= {} if self.groups is None else {"group": self.groups}
        for name, values in columns.items():
            if np.shape(values) != (len(self.inputs),):
                raise DataError(
                    f"The {name} of {self.source} has shape {np.shape(values)}.",
                    expected=f"One value for each of the {len(self.inputs)} inputs.",
                )

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: NDArray[Any]) -> Dataset:
        """The items at these positions, or where a mask is True. `bad` and `notes` stay: they are the source's."""
        at = np.asarray(index)
        at = np.flatnonzero(at) if at.dtype == bool else at.astype(np.int64)
        inputs = self.inputs.take(at) if isinstance(self.inputs, Items) else [self.inputs[int(i)] for i in at]
        targets = {name: values[at] for name, values in self.targets.items()}
        splits, groups = (None if values is None else values[at] for values in (self.splits, self.groups))
        return replace(self, inputs=inputs, targets=targets, splits=splits, groups=groups)


def printable(text: str) -> str:
    r"""A name as shown to people: bytes that are no UTF-8 become `\xff`; everything else stays.

    Example:
        >>> printable("caf\udce9.jpg")
        'caf\\xe9.jpg'
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte, as broken JSON may hold
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
