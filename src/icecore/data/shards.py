"""Which tars a source names: a path, a pattern with braces or stars, or a list of them."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Any

from icecore.data.columns import split_name
from icecore.data.items import printable
from icecore.errors import DataError

_TAR = re.compile(r"\.(tar(\.\w+)?|tgz)$", re.IGNORECASE)
_SIGNS = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)$")


def is_shards(source: Any) -> bool:
    """Whether this names tars: an existing one, a pattern that ends like one, or a list of these alone."""
    if isinstance(source, list | tuple):
        return bool(source) and all(isinstance(one, str | os.PathLike) and is_shards(one) for one in source)
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    return isinstance(text, str) and bool(_TAR.search(text)) and (Path(text).is_file() or bool(_SIGNS.search(text)))


def shards(source: Any) -> list[str]:
    """The paths of the tars, those of a `*` sorted. Raises DataError where one of them is not there.

    Example:
        >>> expand("train-{08..10}.tar"), expand("{a,b}.tar")
        (['train-08.tar', 'train-09.tar', 'train-10.tar'], ['a.tar', 'b.tar'])
    """
    named = source if isinstance(source, list | tuple) else [source]
    found = [path for one in named for path in _files(os.fspath(one))]
    missing = [path for path in found if not Path(path).is_file()]
    if missing or not found:
        what = f"{len(missing)} of {len(found)} tars" if found else "A tar that the pattern fits"
        raise DataError(
            f"{what} of {printable(str(source))} cannot be found"
            + (f", the first is {printable(missing[0])}." if missing else "."),
            expected="A pattern such as train-{000..012}.tar or train-*.tar, or a list of paths.",
        )
    return found


def expand(pattern: str) -> list[str]:
    """What the braces of a pattern stand for: `{000..012}` numbers, `{a,b}` words."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    numbers = _RANGE.match(found.group(1))
    words = _numbers(*numbers.groups()) if numbers else found.group(1).split(",")
    ends = expand(pattern[found.end() :])
    return [before + end for word in words for before in expand(pattern[: found.start()] + word) for end in ends]


def splits_of(paths: list[str]) -> list[str | None]:
    """The split that each tar's name or folder says, such as `train-000.tar`; none where not all say one of several."""
    found = [_split_of(path) for path in paths]
    return found if None not in found and len(set(found)) > 1 else [None] * len(paths)


def _split_of(path: str) -> str | None:
    words = [*re.split(r"[^a-z]+", Path(path).name.lower()), Path(path).parent.name]
    return next((name for word in words if (name := split_name(word))), None)


def _files(pattern: str) -> list[str]:
    if Path(pattern).is_file():
        return [pattern]
    return [path for one in expand(pattern) for path in (_matches(one) if _SIGNS.search(one) else [one])]


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))  # noqa: PTH207 - of a Path one has to split off what is no pattern first


def _numbers(first: str, last: str) -> list[str]:
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
