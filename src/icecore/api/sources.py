"""What the shell hands over as data: one folder, table, file or text, or many of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icecore.api.guessing import read_as_any
from icecore.backbones.reference import local


def inputs_of(words: Sequence[str]) -> str | list[str | Path]:
    """One word as it is; of several, the files, for each folder the files in it, and what is no file as a text."""
    if len(words) == 1:
        return words[0]
    return [found for word in words for found in _found(word)]


def _found(word: str) -> Sequence[str | Path]:
    path = local(word)
    if path is None:
        return [word]
    if not path.is_dir():
        return [path]
    return [item.value for item in read_as_any(path, labelled=False).inputs]
