"""Remarks: what had to be done to an input so that a network can take it.

Who does it says so (`remark`), and who goes through many inputs listens (`remarks`), counts and tells people once.
Where nobody listens, nothing happens.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


def remark(what: str) -> None:
    """Say something of the input at hand: how a sentence goes on that begins with "3 of 5 sounds". Cheap."""
    heard = _heard.get()
    if heard is not None and what not in heard:
        heard.append(what)


@contextmanager
def remarks() -> Iterator[list[str]]:
    """What is remarked inside, each once and in order, in this thread.

    Example:
        >>> with remarks() as heard:
        ...     remark("were resampled from 44,100 Hz to 16,000 Hz")
        >>> heard
        ['were resampled from 44,100 Hz to 16,000 Hz']
    """
    heard: list[str] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)
