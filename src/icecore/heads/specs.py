"""Read a spec: `name`, or `name:option=value,...`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from icecore.errors import HeadError

Converter = Callable[[str], Any]


def split(spec: str) -> tuple[str, str]:
    """The name and its options.

    Example:
        >>> split("svm-rbf:C=10,gamma=0.01")
        ('svm-rbf', 'C=10,gamma=0.01')
    """
    name, _, options = spec.partition(":")
    return name.strip(), options.strip()


def options(name: str, text: str, known: Mapping[str, Converter]) -> dict[str, Any]:
    """The options of a head by name. Raises HeadError for an option that the head does not have, or a bad value."""
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        option, equals, value = part.partition("=")
        if option not in known or not equals:
            raise _unknown(name, part, option, known)
        found[option] = _converted(name, option, value, known[option])
    return found


def positive(text: str) -> float:
    """A number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def share(text: str) -> float:
    """A number above zero, at most one."""
    value = positive(text)
    if value > 1:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def refuse_penalty(name: str, penalty: float | None) -> None:
    """Raise HeadError where a head that has no penalty is given one."""
    if penalty is not None:
        raise HeadError(f"Head {name!r} was given penalty={penalty}.", expected="It has none.", do="Leave it out.")


_MEANING: dict[Converter, str] = {
    positive: "a number above 0",
    share: "a number above 0, at most 1",
    count: "a whole number above 0",
}


def _converted(name: str, option: str, value: str, converter: Converter) -> Any:
    try:
        return converter(value)
    except ValueError as error:
        raise HeadError(
            f"The option {option} of head {name!r} is {value!r}.",
            expected=f"It is {_MEANING.get(converter, 'something else')}.",
        ) from error


def _unknown(name: str, part: str, option: str, known: Mapping[str, Converter]) -> HeadError:
    close = difflib.get_close_matches(option, known, n=1)
    example = f"{name}:{close[0] if close else next(iter(known), 'option')}=..."
    return HeadError(
        f"Head {name!r} has no option {part!r}.",
        expected=f"Its options are {', '.join(known)}." if known else "It has no options.",
        do=f"Write {example}, with commas between options." if known else f"Write {name!r} alone.",
    )
