"""Word vectors as text files: GloVe's `.txt`, word2vec's text format and fastText's `.vec`, plain or gzipped."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icecore.errors import WeightsError

_LINES = 10_000  # read into numbers at once


def read_word_vectors(path: Path) -> tuple[dict[str, int], NDArray[np.float32]]:
    """The place of each word's vector, and the vectors, (words, channels). Of a word that comes twice the first counts.

    A line is a word, which may hold spaces, and its numbers. A first line of two whole numbers says how many words and
    numbers there are. Raises WeightsError, which names the line that is no such line.
    """
    try:
        lines = _lines(path)
        first = next(lines, "")
        header = _header(first)
        width = header[1] if header else first.count(" ")
        if width < 1:
            raise _unreadable(path, "its first line is no word with numbers")
        words, vectors = _read(path, lines if header else chain([first], lines), width, 2 if header else 1)
    except (OSError, EOFError) as error:  # EOFError: a gzip file that is cut off
        raise _unreadable(path, str(getattr(error, "strerror", None) or error)) from error
    if header and len(words) != header[0]:
        raise _unreadable(path, f"its first line promises {header[0]:,} words, and it holds {len(words):,}")
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places.setdefault(word, place)
    return places, vectors


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    opened = gzip.open if packed else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as text:
        yield from (line.rstrip(" \r\n") for line in text)


def _header(line: str) -> tuple[int, int] | None:
    parts = line.split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else None


def _read(path: Path, lines: Iterator[str], width: int, number: int) -> tuple[list[str], NDArray[np.float32]]:
    """Words and vectors of lines, the first of which has that number in the file."""
    words: list[str] = []
    parts = []
    while block := list(islice(lines, _LINES)):
        split = [line.rsplit(" ", width) for line in block]
        values = _numbers(split, width)
        if values is None:
            bad = next(i for i, one in enumerate(split) if _numbers([one], width) is None)
            raise _unreadable(path, f"line {number + bad:,} is no word with {width} numbers")
        words += [one[0] for one in split]
        parts.append(values)
        number += len(block)
    return words, np.concatenate(parts) if parts else np.empty((0, width), np.float32)


def _numbers(split: list[list[str]], width: int) -> NDArray[np.float32] | None:
    """The numbers of some lines; None where a line has not all of them."""
    if any(len(line) != width + 1 for line in split):
        return None
    text = " ".join([" ".join(line[1:]) for line in split])
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # NumPy's word for what is no number
        try:
            values = np.fromstring(text, np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return None
    return values.reshape(len(split), width) if values.size == len(split) * width else None


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"The word vectors in {path} cannot be read: {reason}.",
        expected="One word and its numbers a line, separated by spaces, as GloVe and word2vec write them.",
        do="Download or copy it again.",
    )
