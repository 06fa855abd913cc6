"""Conformance of readers: what every `Reader` must keep to, checked on a source of yours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from icecore.data import BadItem, Dataset, Item, Reader, ReadOptions
from icecore.errors import DataError

_KINDS = {"file", "bytes", "text", "array", "tuple"}
_SPLITS = {"train", "val", "test"}


def check_reader(
    reader: Reader, source: Any, *, options: ReadOptions | None = None, rows: int | None = None, labelled: bool = True
) -> Dataset:
    """Check a reader on a source of its kind.

    Args:
        reader: the reader, as behind an `icecore.readers` entry point.
        source: something that it accepts.
        options: how to read it; the defaults where None.
        rows: how many rows the source has, bad ones counted, where you know it.
        labelled: whether the source holds targets.

    Returns:
        The data set that was read, for checks of your own.

    Raises:
        AssertionError: with the sentence that says what is wrong.

    Example:
        >>> from icecore.data.sequences import reader
        >>> len(check_reader(reader, [np.zeros((4, 4), np.uint8)], rows=1, labelled=False))
        1
    """
    options = options or ReadOptions()
    _check_accepts(reader, source)
    data = reader.read(source, options)
    _check_rows(data, rows)
    _check_items(data)
    _check_targets(data, wanted=labelled and options.labelled is not False)
    _check_splits(data)
    _check_take(data)
    _check_same(data, reader.read(source, options))
    _check_labelled(reader, source, options, labelled=labelled)
    return data


def _check_accepts(reader: Reader, source: Any) -> None:
    _require(reader.accepts(source) is True, "accepts(source) must be True for a source of the reader's kind.")
    for strange in (None, 3, object(), "no/such/file.anywhere"):
        _require(reader.accepts(strange) is False, f"accepts({strange!r}) must be False, and never raise.")


def _check_rows(data: Dataset, rows: int | None) -> None:
    """Every row is there once, as an item or as a bad item, in the order of the source."""
    good, bad = [item.row for item in data.inputs], [item.row for item in data.bad]
    _require(all(a < b for a, b in pairwise(good)), "Items must come in the order of their rows, each row once.")
    _require(not set(good) & set(bad), "A bad item must not be among the inputs.")
    total = len(good) + len(bad)
    _require(sorted(good + bad) == list(range(total)), "Rows count from 0 without gaps, bad items included.")
    _require(rows is None or rows == total, f"The source has {rows} rows; {total} were read.")


def _check_items(data: Dataset) -> None:
    _require(len(data) == len(data.inputs), "len(data) must be the number of its inputs.")
    for position, item in enumerate(data.inputs):
        _require(isinstance(item, Item) and item.kind in _KINDS, f"{item!r} is not an Item of a known kind.")
        _require(_encodable(item.name), f"The name {item.name!r} cannot be written as UTF-8: use printable().")
        again = data.inputs[position]
        _require((again.row, again.name) == (item.row, item.name), "Indexing and iterating must give the same items.")
    for bad in data.bad:
        _require(isinstance(bad, BadItem) and bool(bad.reason), f"{bad!r} must be a BadItem with a reason.")
        _require(_encodable(bad.input), f"The name {bad.input!r} cannot be written as UTF-8: use printable().")
    _require(all(isinstance(note, str) for note in data.notes), "Notes must be sentences.")


def _check_targets(data: Dataset, *, wanted: bool) -> None:
    _require(bool(data.targets) == wanted, f"Targets must {'be' if wanted else 'not be'} there.")
    for name, values in data.targets.items():
        floats = values.dtype == np.float64
        words = values.dtype == object and all(isinstance(value, str) and value for value in values)
        _require(floats or words, f"Target {name!r} must be float64, or an object array of str without empty ones.")
        _require(not floats or not np.isnan(values).any(), f"Target {name!r} holds NaN: such rows are bad items.")


def _check_splits(data: Dataset) -> None:
    strange = set() if data.splits is None else set(data.splits.tolist()) - _SPLITS
    _require(not strange, f"Splits must be train, val or test; there are {strange}.")


def _check_take(data: Dataset) -> None:
    backwards = data.take(np.arange(len(data))[::-1])
    _require([i.row for i in backwards.inputs] == [i.row for i in data.inputs][::-1], "take() must keep rows.")


def _check_same(first: Dataset, second: Dataset) -> None:
    for name, of in _parts():
        _require(of(first) == of(second), f"Reading twice must give the same {name}.")


def _parts() -> Iterator[tuple[str, Callable[[Dataset], Any]]]:
    yield "items", lambda data: [(item.row, item.name, item.kind) for item in data.inputs]
    yield "targets", lambda data: {name: values.tolist() for name, values in data.targets.items()}
    yield "splits", lambda data: None if data.splits is None else data.splits.tolist()
    yield "bad items", lambda data: data.bad


def _check_labelled(reader: Reader, source: Any, options: ReadOptions, *, labelled: bool) -> None:
    without = reader.read(source, replace(options, labelled=False))
    _require(not without.targets, "With labelled=False there must be no targets.")
    try:
        strict = reader.read(source, replace(options, labelled=True))
    except DataError:
        _require(not labelled, "With labelled=True a source that holds targets must be read.")
    else:
        _require(bool(strict.targets), "With labelled=True and no targets, read must raise DataError.")


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)
