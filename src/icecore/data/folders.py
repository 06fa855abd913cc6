"""Folders: class folders, with or without `train/ val/ test/` around them; images alone; and one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icecore.data.assemble import assemble
from icecore.data.columns import split_name
from icecore.data.items import Dataset, printable
from icecore.data.modalities import modalities
from icecore.data.readers import LABEL, ReadOptions
from icecore.data.values import ListValues
from icecore.data.walk import Listing, Parts, walk
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence


class FolderReader:
    """Reads a folder, or a single media file.

    Class folders are the first level, after a level of splits if there is one; files in deeper folders belong to the
    class above. Other files are counted in the notes; a media file that lies beside the class folders has no label and
    is set aside.
    """

    def accepts(self, source: Any) -> bool:
        """A path of a folder, or of a file whose extension a modality knows."""
        if not isinstance(source, str | os.PathLike):
            return False
        path = Path(source)
        return path.is_dir() or (path.is_file() and any(_suffix(path) in m.extensions for m in modalities()))

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError where there is nothing of the modality, or no class folders and labels are required."""
        path = Path(source)
        return _read_folder(path, options) if path.is_dir() else _read_file(path, options)


reader = FolderReader()


def _read_folder(root: Path, options: ReadOptions) -> Dataset:
    name, noun = printable(str(root)), options.modality.noun
    found = _listing(root, options)
    if not found.files:
        raise DataError(f"The folder {name} holds no {noun}.", do=" ".join(_notes(found, noun)))
    depth = 1 if _has_splits(found.files) else 0
    classes = [printable(parts[depth]) if len(parts) > depth + 1 else None for parts in found.files]
    _require_classes(name, classes, options)
    return assemble(
        ListValues([os.path.join(*parts) for parts in found.files]),  # noqa: PTH118 - paths stay strings until asked for
        options,
        source=name,
        base=root,
        targets={LABEL: ListValues(classes)} if any(classes) else {},
        splits=ListValues([parts[0] if len(parts) > 1 else None for parts in found.files]) if depth else None,
        notes=(*_notes(found, noun), *_doubts(found, depth, noun)),
        strings="file",
    )


def _read_file(path: Path, options: ReadOptions) -> Dataset:
    name = printable(str(path))
    if _suffix(path) not in options.modality.extensions:
        raise DataError(
            f"The file {name} holds no {options.modality.noun}, by its extension.",
            expected=f"One of {', '.join(sorted(options.modality.extensions))}.",
        )
    if options.labelled and options.y is None:
        raise DataError(
            f"{name} is a single file, without a label.",
            expected="A folder with one folder for each class, or a table with a column of labels.",
        )
    return assemble(ListValues([str(path)]), options, source=name, strings="file")


def _listing(root: Path, options: ReadOptions) -> Listing:
    try:
        return walk(str(root), options.modality.extensions)
    except OSError as error:
        raise DataError(f"The folder {printable(str(root))} cannot be read: {error.strerror}.") from error


def _has_splits(files: Sequence[Parts]) -> bool:
    tops = {parts[0] for parts in files if len(parts) > 1}
    return bool(tops) and all(split_name(top) for top in tops)


def _require_classes(name: str, classes: Sequence[str | None], options: ReadOptions) -> None:
    if options.labelled and options.y is None and not any(classes):
        raise DataError(
            f"The folder {name} holds {options.modality.noun} but no class folders, so nothing is labelled.",
            expected="One folder for each class, with or without train/, val/ and test/ around them.",
            do="Sort the files into class folders, or give a table with a column of labels.",
        )


def _notes(found: Listing, noun: str) -> tuple[str, ...]:
    kinds = ", ".join(f"{n} {kind or 'without extension'}" for kind, n in _most(found.others)[:5])
    others = found.others.total()
    said = [
        f"Ignored {others} {'file that is' if others == 1 else 'files that are'} not {noun}: {kinds}."
        if others
        else "",
        f"Ignored {found.hidden} hidden {'entry' if found.hidden == 1 else 'entries'}." if found.hidden else "",
        f"Could not read {_some(found.unread)}." if found.unread else "",
        f"Did not follow {_some(found.loops)}, which leads back to a folder around it." if found.loops else "",
    ]
    return tuple(note for note in said if note)


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equal ones by name: folders are listed in no order that lasts."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _doubts(found: Listing, depth: int, noun: str) -> tuple[str, ...]:
    """Things that are read in one way and may be meant in another."""
    full = {parts[: depth + 1] for parts in found.files}
    empty = sorted(
        printable("/".join(parts)) for parts in found.folders if len(parts) == depth + 1 and parts not in full
    )
    tops = sorted({parts[0] for parts in found.files if len(parts) > 1})
    splits = [] if depth else [printable(top) for top in tops if split_name(top)]
    said = [
        f"No {noun} in the folder{'s' * (len(empty) > 1)} {_some(empty)}." if empty else "",
        f"Took {_some(splits)} for a class, because not every folder beside it is a split." if splits else "",
    ]
    return tuple(note for note in said if note)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _suffix(path: Path) -> str:
    return path.suffix.lower()
