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
    """The columns chosen, and what to say of them."""

    input: str
    targets: tuple[str, ...]
    split: str | None
    notes: tuple[str, ...]


def roles(columns: Mapping[str, Values], options: ReadOptions, *, source: str, base: str) -> Roles:
    """Choose the columns of a table. Raises DataError, with the nearest names, where one is not there."""
    _require_unique(columns, source)
    split, notes = _split(columns)
    chosen = _named(columns, options.input_col, source) if options.input_col else None
    input_col = chosen or _guess_input(columns, options, source, base)
    targets = _targets(columns, options, source, taken={input_col, split})
    return Roles(input_col, targets, split, (*_say(input_col, targets, options), *notes))


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


def _guess_input(columns: Mapping[str, Values], options: ReadOptions, source: str, base: str) -> str:
    open_to_guess = [name for name in columns if name not in options.target]
    guess = _by_name(open_to_guess, options.modality.columns)
    if guess is None and options.modality.strings == "file":
        _require_header(columns, options, source, base)
        guess = next((name for name in open_to_guess if _holds_files(columns[name], base)), None)
    elif guess is None:
        guess = _wordiest({name: columns[name] for name in open_to_guess if name.strip().lower() not in TARGETS})
    if guess is not None:
        return guess
    raise DataError(
        f"It is not clear which column of {source} is the input.",
        expected=f"Its columns are {_listed(columns)}.",
        do=f"Name one with --input-col (input_col=), or call it {options.modality.columns[0]}.",
    )


def _wordiest(columns: Mapping[str, Values]) -> str | None:
    """The column whose first values have the most words, if it is more than one each."""
    counts = {name: sum(len(str(v).split()) for v in _first(values)) for name, values in columns.items()}
    name = max(counts, key=counts.__getitem__, default=None)
    return name if name is not None and counts[name] > len(_first(columns[name])) else None


def _first(values: Values) -> list[object]:
    return [value for value in (values[row] for row in range(min(len(values), _LOOKED_AT))) if value is not None]


def _require_header(columns: Mapping[str, Values], options: ReadOptions, source: str, base: str) -> None:
    if any(_is_file(name, base) for name in columns):
        raise DataError(
            f"The first line of {source} looks like data: {_listed(columns)}.",
            expected="The first line names the columns.",
            do=f"Add a line such as {options.modality.columns[0]},label at the top.",
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
    close = difflib.get_close_matches(name, list(columns), n=3)
    raise DataError(
        f"{source} has no column {name!r}.",
        expected=f"Its columns are {_listed(columns)}.",
        do=f"Did you mean {' or '.join(map(repr, close))}?" if close else "",
    )


def _require_unique(columns: Mapping[str, Values], source: str) -> None:
    if not columns:
        raise DataError(f"{source} has no columns.", expected="A table with one line of column names, then the data.")


def _say(input_col: str, targets: tuple[str, ...], options: ReadOptions) -> tuple[str, ...]:
    guessed = [] if options.input_col else [f"{input_col!r} for the input column"]
    guessed += [f"{targets[0]!r} for the target"] if targets and not options.target else []
    return (f"Took {' and '.join(guessed)}.",) if guessed else ()


def _listed(columns: Mapping[str, Values]) -> str:
    names = [repr(name) for name in columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
