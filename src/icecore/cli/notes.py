"""Python's warnings, as one plain line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from icecore.cli.output import aside


def note_once() -> Callable[..., None]:
    """A `warnings.showwarning` that says `Note: ...` on standard error; what was said already is not said again."""
    said: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del category, filename, lineno, file, line
        text = " ".join(str(message).split())
        if text not in said:
            said.add(text)
            aside(f"Note: {text}")

    return show
