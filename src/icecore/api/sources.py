"""What the shell hands over as data: one folder, table or file, or many of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icecore.data import read


def inputs_of(words: Sequence[str]) -> str | list[Path]:
    """One word as it is; of several, the files, and for each folder the files in it."""
    if len(words) == 1:
        return words[0]
    return [path for word in words for path in _files(Path(word))]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [item.value for item in read(path, labelled=False).inputs]
