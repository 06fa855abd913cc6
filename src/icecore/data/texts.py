"""Texts: what a file or a cell holds, as the string that it means; and their words as numbers."""

from __future__ import annotations

import codecs
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.data.remarks import remark
from icecore.errors import BadItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTENSIONS = frozenset({".txt", ".text", ".md"})
WORDS = 512  # width of a bag of words
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decode_text(source: Any) -> str:
    r"""A text from itself or from a file's bytes: UTF-8, or UTF-16 with a byte order mark.

    Raises BadItemError where it is empty, is no text or is in another encoding; it says which.

    Example:
        >>> decode_text("caf\u00e9".encode())
        'café'
    """
    text = _of_bytes(bytes(source)) if isinstance(source, bytes | bytearray | memoryview) else source
    if not isinstance(text, str):
        raise BadItemError(f"{type(text).__name__} is no text")
    if not text.strip():
        raise BadItemError("the text is empty")
    return text


def bag_of_words(text: str) -> NDArray[np.float32]:
    """How often each word occurs, hashed to a fixed width and of length 1: the raw text as numbers, (512,).

    Example:
        >>> bag_of_words("A bag, a bag of words").shape
        (512,)
    """
    counts: NDArray[np.float32] = _vectorizer().transform([text]).toarray()[0]
    return counts


def remark_cut() -> None:
    """Say that a text is longer than what is read of it."""
    remark("are longer than the network reads: their ends were left out")


@cache
def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=WORDS, dtype=np.float32)


def _of_bytes(raw: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadItemError(
            f"the text is not {error.encoding.upper()}: byte {raw[error.start]:#04x} at {error.start}"
        ) from error
