"""Keys: the address of a value says what it derives from. The only place that makes keys.

A key is the SHA-256 of a tagged, canonical form. Every hash carries the recipe `ice1:`, so that a change of recipe can
never read old rows as new. A tag (`file`, `text`, `array`, `prefix`, ...) keeps equal bytes of different meaning apart,
and each part goes in with its length, so that no two lists of parts share a form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    import numpy as np

RECIPE = "ice1"
DIGEST_SIZE = 32
_CHUNK = 1 << 20


def canonical(value: Any) -> bytes:
    """The one JSON form of a value: sorted keys, no white space, UTF-8.

    Tuples and lists are the same. Raises TypeError for anything JSON has no word for, for mappings whose keys are
    not strings, and ValueError for NaN and infinities: a key must not depend on how a library prints them.

    Example:
        >>> canonical({"b": (1, 2.5), "a": None})
        b'{"a":null,"b":[1,2.5]}'
    """
    _require_string_keys(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def digest(tag: str, parts: Iterable[bytes | memoryview]) -> bytes:
    """Hash parts under a tag, each with its length before it. 32 bytes."""
    state = _tagged(tag)
    for part in parts:
        view = memoryview(part).cast("B")
        state.update(view.nbytes.to_bytes(8, "little"))
        state.update(view)
    return state.digest()


def key(tag: str, value: Any) -> str:
    """The key of a description, in hexadecimal (64 characters).

    Example:
        >>> key("prefix", {"layer": "layer4"}) == key("prefix", {"layer": "layer4"})
        True
        >>> key("prefix", {"layer": "layer4"}) == key("prefix", {"layer": "layer3"})
        False
    """
    return digest(tag, [canonical(value)]).hex()


def row_of_bytes(raw: bytes | memoryview) -> bytes:
    """Row key of a file's content. 32 bytes; equal to `row_of_file` of a file that holds `raw`."""
    state = _tagged("file")
    state.update(raw)
    return state.digest()


def row_of_file(path: str | os.PathLike[str]) -> bytes:
    """Row key of a file, read in pieces. Raises OSError where it cannot be read."""
    state = _tagged("file")
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.digest()


def row_of_text(text: str) -> bytes:
    """Row key of a text, as UTF-8. No normalisation: other bytes may be other tokens."""
    return digest("text", [text.encode("utf-8", "surrogatepass")])


def row_of_array(array: np.ndarray[Any, Any]) -> bytes:
    """Row key of an array: dtype, shape and C-order bytes. Raises TypeError for arrays of Python objects."""
    if array.dtype.hasobject:
        raise TypeError(f"Got an array of dtype {array.dtype}; a key needs numbers, booleans or fixed-size strings.")
    dtype = array.dtype.descr if array.dtype.names else array.dtype.str  # `str` of a structure tells its size alone
    head = canonical({"dtype": dtype, "shape": list(array.shape)})
    return digest("array", [head, array.tobytes(order="C")])


def row_of_tuple(rows: Sequence[bytes]) -> bytes:
    """Row key of several inputs that belong together, from their own row keys, in order."""
    return digest("tuple", rows)


def _tagged(tag: str) -> hashlib._Hash:
    return hashlib.sha256(f"{RECIPE}:{tag}:".encode())


def _require_string_keys(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"Got the key {name!r} in a mapping to be hashed; only strings have one form in JSON.")
            _require_string_keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_string_keys(inner)
