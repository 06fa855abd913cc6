"""What the commands print: tables for people, JSON for programs, asides on standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import typer

_SHOWN = 10
_FEW = 50_000  # parameters below which a tenth of a million says nothing
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def print_json(value: Any) -> None:
    """One JSON object on standard output. ASCII, so that no name can break it."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def say(*lines: str) -> None:
    """Lines on standard output, for people."""
    for line in lines:
        sys.stdout.write(shown(line, sys.stdout) + "\n")


def aside(*lines: str) -> None:
    """Lines on standard error: what is worth knowing and is not the result."""
    for line in lines:
        sys.stderr.write(shown(line, sys.stderr) + "\n")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[int] = ()) -> None:
    """A plain table on standard output; `right` names the columns of numbers."""
    cells = [[shown(str(cell), sys.stdout) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    for row in [list(header), *cells]:
        parts = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        sys.stdout.write("  ".join(parts).rstrip() + "\n")


def bars(values: dict[str, float], width: int = 30) -> None:
    """A bar for each value up to 1, on standard output; none for one below 0."""
    label = max(len(name) for name in values)
    block = "█" if shown("█", sys.stdout) == "█" else "#"
    for name, value in values.items():
        say(f"{name.ljust(label)}  {value:.3f}  {block * round(value * width)}")


def set_aside(bad: Sequence[dict[str, Any]]) -> None:
    """The first bad items, on standard error."""
    if not bad:
        return
    aside(f"Set aside {len(bad)} item{'s' if len(bad) > 1 else ''} that cannot be used:")
    shown = (": ".join(part for part in (item["input"], item["reason"]) if part) for item in bad[:_SHOWN])
    aside(*(f"  row {item['row']}: {what}" for item, what in zip(bad, shown, strict=False)))
    if len(bad) > _SHOWN:
        aside(f"  and {len(bad) - _SHOWN} more; `icecore inspect DATA` lists them all.")


def size(count: float) -> str:
    """Bytes for people.

    Example:
        >>> size(1536)
        '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def bytes_of(text: str) -> int:
    """A size as people write it, such as 500M or 20G, in bytes. Raises BadParameter.

    Example:
        >>> bytes_of("1.5k")
        1536
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text.lower())
    if not found:
        raise typer.BadParameter(f"{text!r} is no size; write 500M or 20G.")
    return int(float(found.group(1)) * _UNITS[found.group(2)])


def millions(count: int | None) -> str:
    """A number of parameters for people; empty where it is not known.

    Example:
        >>> millions(11_689_512)
        '11.7 M'
        >>> millions(1284)
        '1,284'
    """
    return "" if count is None else f"{count:,}" if count < _FEW else f"{count / 1e6:.1f} M"


def shown(text: str, stream: TextIO) -> str:
    r"""A line for people: no raw newlines or control characters, nothing that the stream cannot encode.

    Example:
        >>> shown("a\nb", sys.stdout)
        'a\\nb'
    """
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text)
    encoding = stream.encoding or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)
