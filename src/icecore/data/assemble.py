"""Columns -> a `Dataset`: what has no input, no file, no label or no split is set aside, with its row and reason."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icecore.data.columns import split_name
from icecore.data.gaps import gaps
from icecore.data.grouping import group_numbers
from icecore.data.items import BadItem, Dataset, Items, printable
from icecore.data.labels import given_targets
from icecore.data.parts import FilePart
from icecore.data.tuples import TupleValues
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from icecore.data.modalities import Modality
    from icecore.data.readers import ReadOptions
    from icecore.data.values import Values

_NO_FILE = "no such file"


def assemble(
    values: Values,
    options: ReadOptions,
    *,
    source: str,
    base: str | os.PathLike[str] = "",
    targets: Mapping[str, Values] | None = None,
    splits: Values | None = None,
    groups: Values | None = None,
    notes: tuple[str, ...] = (),
    reasons: Mapping[int, str] | None = None,
    strings: Literal["file", "text"] | None = None,
) -> Dataset:
    """Put a data set together.

    Args:
        values: the inputs, one a row; strings are paths relative to `base`, or texts, as the modality says.
        options: as the reader got them; targets given as `y` take the place of `targets`.
        source: what is read, as shown to people.
        base: the folder that relative paths start from.
        targets: by name, one value a row.
        splits: one word a row; None for no split.
        groups: one value a row, equal for rows that belong together; None where the source says nothing of it.
        notes: sentences to say aloud.
        reasons: of rows that are bad already.
        strings: what strings among the inputs are, where it is not the modality that says.

    Raises:
        DataError: `y` has another length, or not a single file is where it should be.
    """
    wanted = _wanted(options, targets or {}, len(values), source)
    words = _split_words(splits)
    if options.labelled is False and words is not None and None in words:
        words = None  # a split that covers only some rows is no reason to leave out what is only to be predicted
    parts = _parts(values, options.modality, source, strings)
    told = tuple(part.strings for part in parts)
    items = Items(values, np.arange(len(values)), base=base, strings=told if options.modality.parts else told[0])
    files = _first_reasons(*(part.files(str(base)) for part in parts if part.strings == "file"))
    _require_some_file(files, items, source, str(base))
    missing = [_where(part.values.missing(), part.missing) for part in parts]
    bad = _first_reasons(dict(reasons or {}), *missing, files, _unlabelled(wanted), _unsplit(words))
    good = np.ones(len(values), bool)
    good[list(bad)] = False
    numbers = group_numbers(groups, options, len(values), source)
    return Dataset(
        source=source,
        inputs=items.take(np.flatnonzero(good)),
        targets={name: column.target()[good] for name, column in wanted.items()},
        splits=None if words is None else words[good],
        bad=tuple(BadItem(row, items.at(row).name, bad[row]) for row in sorted(bad)),
        notes=notes,
        modality=options.modality.name,
        groups=None if numbers is None else numbers[good],
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The inputs, or one column of them where they are tuples, with what is said before and of their faults."""

    values: Values
    strings: Literal["file", "text"]
    prefix: str = ""
    missing: str = "no input"

    def files(self, base: str) -> dict[int, str]:
        return {row: self.prefix + reason for row, reason in _file_reasons(self.values, base).items()}


def _parts(values: Values, modality: Modality, source: str, strings: Literal["file", "text"] | None) -> Sequence[_Part]:
    if not modality.parts:
        return [_Part(values, strings or modality.strings)]
    if not isinstance(values, TupleValues):
        raise DataError(
            f"{source} has one input a row, and {modality.name} needs {' and '.join(p.name for p in modality.parts)}.",
            do="Use a table with a column for each, or a list of tuples.",
        )
    pairs = zip(values.columns, modality.parts, strict=True)
    return [_Part(column, part.strings, f"{part.name}: ", f"no {part.name}") for column, part in pairs]


def _first_reasons(*layers: Mapping[int, str]) -> dict[int, str]:
    """By row, the reason of the first layer that has one."""
    merged: dict[int, str] = {}
    for layer in reversed(layers):
        merged |= layer
    return merged


def _where(mask: NDArray[np.bool_], reason: str) -> dict[int, str]:
    return dict.fromkeys(np.flatnonzero(mask).tolist(), reason)


def _unlabelled(targets: Mapping[str, Values]) -> dict[int, str]:
    several = len(targets) > 1
    masks = {name: column.missing() for name, column in targets.items()}
    none = (_where(m, f"no label in {name!r}" if several else "no label") for name, m in masks.items())
    return _first_reasons(*none, *map(gaps, targets.values()))


def _unsplit(words: NDArray[Any] | None) -> dict[int, str]:
    return {} if words is None else _where(np.array([word is None for word in words], bool), "no split")


def _split_words(splits: Values | None) -> NDArray[Any] | None:
    if splits is None:
        return None
    words = np.empty(len(splits), object)
    words[:] = [split_name(splits[row]) for row in range(len(splits))]
    return words


def _wanted(options: ReadOptions, targets: Mapping[str, Values], n: int, source: str) -> Mapping[str, Values]:
    if options.labelled is False:
        return {}
    given = targets if options.y is None else given_targets(options.y)
    for name, column in given.items():
        if len(column) != n:
            raise DataError(
                f"Got {len(column)} values of {name!r} for {n} rows of {source}.",
                expected="One value for each row, in the same order.",
            )
    return given


def _file_reasons(values: Values, base: str) -> dict[int, str]:
    """Why a path is no file, by row. Strings and `os` here: a Path of each would double the time of a large table."""
    found = {}
    for row in range(len(values)):
        value = values[row]
        if isinstance(value, FilePart):
            continue
        if isinstance(value, str | os.PathLike) and (reason := _no_file(os.path.join(base, value))):  # noqa: PTH118
            found[row] = reason
    return found


def _no_file(path: str) -> str | None:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return "a link to nothing" if os.path.islink(path) else _NO_FILE  # noqa: PTH114
    if stat.S_ISREG(mode):
        return None
    return "a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file"


def _require_some_file(files: Mapping[int, str], items: Items, source: str, base: str) -> None:
    """Raise where every path leads nowhere: then it is the folder that is wrong, not the rows."""
    if not files or len(files) < len(items) or not all(reason.endswith(_NO_FILE) for reason in files.values()):
        return
    first = items.at(0)
    raise DataError(
        f"None of the {len(items)} files of {source} exists.",
        expected=f"Paths are relative to {printable(os.path.abspath(base))}; the first is {first.name!r}.",  # noqa: PTH100
        do="Check the paths, and the slashes in them; absolute paths work too.",
    )
