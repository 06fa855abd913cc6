"""Walk a folder: media files in a stable order, links followed, loops survived, the rest counted."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from icecore.data.items import printable

if TYPE_CHECKING:
    from collections.abc import Collection

Parts = tuple[str, ...]
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        files: the parts of each media file's path below the folder, sorted.
        folders: the parts of each folder's path below it.
        others: how many other files there are, by extension.
        hidden: how many files and folders were passed over because they are hidden.
        unread: folders that could not be read, as shown to people.
        loops: links that lead back to a folder around them, likewise.
    """

    files: list[Parts] = field(default_factory=list)
    folders: list[Parts] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    unread: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)


def walk(root: str, extensions: Collection[str]) -> Listing:
    """List a folder and all below it. Raises OSError where `root` itself cannot be read."""
    found = Listing()
    waiting: list[tuple[str, Parts, frozenset[tuple[int, int]]]] = [(root, (), frozenset())]
    while waiting:
        folder, parts, above = waiting.pop()
        try:
            here, entries = _open(folder)
        except OSError:
            if not parts:
                raise
            found.unread.append(printable("/".join(parts)))
            continue
        if here in above:
            found.loops.append(printable("/".join(parts)))
            continue
        found.folders.append(parts)
        below = (_sort(entry, parts, extensions, found) for entry in entries)
        waiting.extend((entry.path, (*parts, entry.name), above | {here}) for entry in below if entry is not None)
    found.files.sort()
    return found


def _open(folder: str) -> tuple[tuple[int, int], list[os.DirEntry[str]]]:
    """The folder's identity, and what is in it."""
    status = os.stat(folder)  # noqa: PTH116 - strings throughout: a Path of each entry would double the time
    with os.scandir(folder) as entries:
        return (status.st_dev, status.st_ino), list(entries)


def _sort(
    entry: os.DirEntry[str], parts: Parts, extensions: Collection[str], found: Listing
) -> os.DirEntry[str] | None:
    """Note an entry in the listing; a folder to go into is given back."""
    if entry.name.startswith(".") or entry.name in _JUNK:
        found.hidden += 1
        return None
    if _is_folder(entry):
        return entry
    extension = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
    if extension in extensions:
        found.files.append((*parts, entry.name))
    else:
        found.others[printable(extension)] += 1
    return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
