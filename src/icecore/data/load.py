"""One item -> its row key and its decoded input, reading the file once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import keys
from icecore.data.modalities import modality_named
from icecore.data.sounds import Sound
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from pathlib import Path

    from icecore.data.items import Item


def load(item: Item, modality: str = "image") -> tuple[bytes, Any]:
    """Read, hash and decode one item.

    Args:
        item: as a `Dataset` holds it.
        modality: the data set's.

    Returns:
        The row key (32 bytes) and the decoded input; for an image a PIL image in mode RGB, for a
        sound a `Sound`.

    Raises:
        BadItemError: it cannot be read or decoded; the text is the reason, for people.
    """
    decode = modality_named(modality).decode
    if item.kind == "file":
        raw = _content(item.value)
        return keys.row_of_bytes(raw), decode(raw)
    decoded = decode(item.value)
    return _key_in_memory(item, decoded), decoded


def row_key(item: Item, modality: str = "image") -> bytes:
    """The row key that `load` gives, without decoding what need not be decoded. Raises BadItemError. 32 bytes."""
    if item.kind == "file":
        return _of_file(item.value)
    whole = item.kind in ("bytes", "text") or isinstance(item.value, np.ndarray)
    return _key_in_memory(item, None if whole else modality_named(modality).decode(item.value))


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


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _of_file(path: Path) -> bytes:
    try:
        return keys.row_of_file(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadItemError:
    """In words. A ValueError is a name that no file can have (a NUL in it)."""
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return BadItemError("no such file")
    if isinstance(error, PermissionError) and not path.is_dir():
        return BadItemError("the file may not be read: permission denied")
    if path.is_dir():
        return BadItemError("a folder, not a file")
    return BadItemError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
