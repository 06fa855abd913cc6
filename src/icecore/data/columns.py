"""Which column is what: named by the user, known by its usual name, or found by looking at the values."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from icecore.data.modalities import Modality
    from icecore.data.readers import ReadOptions
    from icecore.data.values import Values

TARGETS = ("label", "class", "target", "category", "species", "y")
SPLIT_COLUMNS = ("split", "subset")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns chosen, and what to say of them. `input` is a tuple where the modality has parts."""

    input: str | tuple[str, ...]
    targets: tuple[str, ...]
    split: str | None
    notes: tuple[str, ...]
    group: str | None = None


def roles(columns: Mapping[str, Values], options: ReadOptions, *, source: str, base: str) -> Roles:
    """Choose the columns of a table. Raises DataError, with the nearest names, where one is not there."""
    _require_unique(columns, source)
    split, notes = _split(columns)
    group = None if options.group is None or options.labelled is False else _named(columns, options.group, source)
    inputs = _inputs(columns, options, source, base)
    targets = _targets(columns, options, source, taken={*inputs, split, group})
    chosen = inputs if options.modality.parts else inputs[0]
    return Roles(chosen, targets, split, (*_say(inputs, targets, options), *notes), group)


def split_name(value: object) -> str | None:
    """`train`, `val` or `test` of what people write for them; None of anything else."""
    return SPLIT_NAMES.get(str(value).strip().lower())


def _targets(
    columns: Mapping[str, Values], options: ReadOptions, source: str, taken: set[str | None]
) -> tuple[str, ...]:
    if options.labelled is False or options.y is not None:
        return ()
    if options.target:
        return tuple(_named(columns, name, source) for name in dict.fromkeys(options.target))
    others = [name for name in columns if name not in taken]
    guess = _by_name(others, TARGETS) or (others[0] if len(others) == 1 else None)
    if guess is None and options.labelled:
        raise DataError(
            f"It is not clear which column of {source} is the target.",
            expected=f"Its columns are {_listed(columns)}.",
            do=f"Name one with --target (target=), or call it {' or '.join(TARGETS[:3])}.",
        )
    return (guess,) if guess else ()


def _inputs(columns: Mapping[str, Values], options: ReadOptions, source: str, base: str) -> tuple[str, ...]:
    """The column of each part, or the only one."""
    parts = options.modality.parts
    if not options.input_col:
        found: list[str] = []
        for part in parts or (options.modality,):
            found.append(_guess_input(columns, options, part, source, base, taken=found))
        return tuple(found)
    names = [name.strip() for name in options.input_col.split(",")] if parts else [options.input_col]
    if len(names) != max(1, len(parts)):
        raise DataError(
            f"Got {options.input_col!r} as the input columns of {source}.",
            expected=f"A column for each of {', '.join(part.name for part in parts)}, in this order.",
            do=f"Write --input-col {','.join(part.columns[0] for part in parts)}, with your own names.",
        )
    return tuple(_named(columns, name, source) for name in names)


def _guess_input(
    columns: Mapping[str, Values], options: ReadOptions, modality: Modality, source: str, base: str, *, taken: list[str]
) -> str:
    open_to_guess = [name for name in columns if name not in (*options.target, options.group) and name not in taken]
    guess = _by_name(open_to_guess, modality.columns)
    if guess is None and modality.strings == "file":
        _require_header(columns, modality, source, base)
        guess = next((name for name in open_to_guess if _holds_files(columns[name], base)), None)
    elif guess is None:
        guess = _wordiest({name: columns[name] for name in open_to_guess if name.strip().lower() not in TARGETS})
    if guess is not None:
        return guess
    parts = options.modality.parts
    raise DataError(
        f"It is not clear which column of {source} is the {modality.name if parts else 'input'}.",
        expected=f"Its columns are {_listed(columns)}.",
        do=f"Name all inputs with --input-col {','.join(part.columns[0] for part in parts)} (input_col=)."
        if parts
        else f"Name one with --input-col (input_col=), or call it {modality.columns[0]}.",
    )


def _wordiest(columns: Mapping[str, Values]) -> str | None:
    """The column whose first values have the most words, if it is more than one each."""
    counts = {name: sum(len(str(v).split()) for v in _first(values)) for name, values in columns.items()}
    name = max(counts, key=counts.__getitem__, default=None)
    return name if name is not None and counts[name] > len(_first(columns[name])) else None


def _first(values: Values) -> list[object]:
    return [value for value in (values[row] for row in range(min(len(values), _LOOKED_AT))) if value is not None]


def _require_header(columns: Mapping[str, Values], modality: Modality, source: str, base: str) -> None:
    if any(_is_file(name, base) for name in columns):
        raise DataError(
            f"The first line of {source} looks like data: {_listed(columns)}.",
            expected="The first line names the columns.",
            do=f"Add a line such as {modality.columns[0]},label at the top.",
        )


def _holds_files(values: Values, base: str) -> bool:
    """Whether any of the first values there are is a file: the very first may be the missing one."""
    return any(_is_file(value, base) for value in _first(values))


def _is_file(value: object, base: str) -> bool:
    return isinstance(value, str | os.PathLike) and bool(str(value)) and os.path.isfile(os.path.join(base, value))  # noqa: PTH113, PTH118 - a Path of each value would double the time of a large table


def _split(columns: Mapping[str, Values]) -> tuple[str | None, tuple[str, ...]]:
    name = _by_name(columns, SPLIT_COLUMNS)
    if name is None:
        return None, ()
    values = columns[name]
    words = (values[row] for row in range(len(values)))
    strange = list(islice((w for w in _distinct(words) if w not in (None, "") and split_name(w) is None), 3))
    if strange:
        what = ", ".join(repr(word) for word in strange)
        return None, (f"The column {name!r} holds {what}: not used as the split, which is train, val or test.",)
    return name, ()


def _distinct(values: Iterator[object]) -> Iterator[object]:
    return iter(dict.fromkeys(values))


def _by_name(names: Sequence[str] | Mapping[str, Values], wanted: Sequence[str]) -> str | None:
    lower = {name.strip().lower(): name for name in reversed(list(names))}
    return next((lower[word] for word in wanted if word in lower), None)


def _named(columns: Mapping[str, Values], name: str, source: str) -> str:
    if name in columns:
        return name
    alike = [each for each in columns if each.strip().lower() == name.strip().lower()]
    if len(alike) == 1:
        return alike[0]
    close = difflib.get_close_matches(name, list(columns), n=3)
    raise DataError(
        f"{source} has no column {name!r}.",
        expected=f"Its columns are {_listed(columns)}.",
        do=f"Did you mean {' or '.join(map(repr, close))}?" if close else "",
    )


def _require_unique(columns: Mapping[str, Values], source: str) -> None:
    if not columns:
        raise DataError(f"{source} has no columns.", expected="A table with one line of column names, then the data.")


def _say(inputs: tuple[str, ...], targets: tuple[str, ...], options: ReadOptions) -> tuple[str, ...]:
    of_parts = f"{', '.join(map(repr, inputs))} for the input column{'s' if len(inputs) > 1 else ''}"
    guessed = [] if options.input_col else [of_parts]
    guessed += [f"{targets[0]!r} for the target"] if targets and not options.target else []
    return (f"Took {' and '.join(guessed)}.",) if guessed else ()


def _listed(columns: Mapping[str, Values]) -> str:
    names = [repr(name) for name in columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
