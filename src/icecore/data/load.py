"""One item -> its row key and its decoded input, reading the file once."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from icecore import keys
from icecore.data.modalities import modality_named
from icecore.data.parts import FilePart
from icecore.data.sounds import Sound
from icecore.errors import BadItemError

_T = TypeVar("_T")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from icecore.data.items import Item

    Clock: TypeAlias = Callable[[str], AbstractContextManager[Any]]


def load(item: Item, modality: str = "image", clock: Clock = nullcontext) -> tuple[bytes, Any]:
    """Read, hash and decode one item.

    Args:
        item: as a `Dataset` holds it.
        modality: the data set's.
        clock: makes a context for each of `read` (with hashing) and `decode`, such as one that times it.

    Returns:
        The row key (32 bytes) and the decoded input; for an image a PIL image in mode RGB, for a sound a `Sound`, for a
        tuple a tuple.

    Raises:
        BadItemError: it, or a part of it, cannot be read or decoded; the text is the reason, for people.
    """
    if item.kind == "tuple":
        rows, parts = zip(*_each(item, modality, partial(load, clock=clock)), strict=True)
        return keys.row_of_tuple(rows), parts
    decode = modality_named(modality).decode
    if item.kind == "file":
        with clock("read"):
            raw = _content(item.value)
            row = keys.row_of_bytes(raw)
        with clock("decode"):
            return row, decode(raw)
    with clock("decode"):
        decoded = decode(bytes(item.value) if item.kind == "bytes" else item.value)
    with clock("read"):
        return _key_in_memory(item, decoded), decoded


def row_key(item: Item, modality: str = "image") -> bytes:
    """The row key that `load` gives, without decoding what need not be decoded. Raises BadItemError. 32 bytes."""
    if item.kind == "tuple":
        return keys.row_of_tuple(list(_each(item, modality, row_key)))
    if item.kind == "file":
        return _of_file(item.value)
    whole = item.kind in ("bytes", "text") or isinstance(item.value, np.ndarray)
    return _key_in_memory(item, None if whole else modality_named(modality).decode(item.value))


def _each(item: Item, modality: str, what: Callable[[Item, str], _T]) -> Iterator[_T]:
    """What a function gives of each part of a tuple. Raises BadItemError, which says of which part."""
    for part, own in zip(item.value, modality_named(modality).parts, strict=True):
        try:
            yield what(part, own.name)
        except BadItemError as error:
            raise BadItemError(f"{own.name}: {error}") from error


def _key_in_memory(item: Item, decoded: Any) -> bytes:
    if item.kind == "bytes":
        return keys.row_of_bytes(item.value)
    if item.kind == "text":
        return keys.row_of_text(item.value)
    if isinstance(decoded, Sound):
        return decoded.row
    array = item.value if isinstance(item.value, np.ndarray) else np.asarray(decoded)
    try:
        return keys.row_of_array(array)
    except TypeError as error:
        raise BadItemError(str(error)) from error


def _content(path: Path | FilePart) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _of_file(path: Path | FilePart) -> bytes:
    try:
        return keys.row_of_bytes(path.read_bytes()) if isinstance(path, FilePart) else keys.row_of_file(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(where: Path | FilePart, error: Exception) -> BadItemError:
    """In words. A ValueError is a name that no file can have (a NUL in it)."""
    path = Path(where)
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return BadItemError("no such file")
    if isinstance(error, PermissionError) and not path.is_dir():
        return BadItemError("the file may not be read: permission denied")
    if path.is_dir():
        return BadItemError("a folder, not a file")
    return BadItemError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
