"""What an explanation is: how much each part of an input speaks for the class that it is said to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Grid:
    """Values on a picture, or on a spectrogram.

    Attributes:
        values: (h, w), positive where the part speaks for the class, negative against; the largest size is 1. Rows go
            from the top; of a sound from high frequencies to low ones, and columns from its start to its end.
        box: left, top, right and bottom of what they cover, as shares of the whole picture: networks crop.
    """

    values: np.ndarray
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Words:
    """Values of the words of a text.

    Attributes:
        spans: start and end of each word in the text, m of them.
        values: (m,), positive where the word speaks for the class; the largest size is 1.
        text: the text.
    """

    spans: tuple[tuple[int, int], ...]
    values: np.ndarray
    text: str


@dataclass(frozen=True, eq=False)
class Attribution:
    """Why an input is said to be of a class.

    Attributes:
        label: the class that is explained.
        probability: that the model gives it.
        parts: how much each part speaks for it.
        method: how that was found, in words.
        decoded: the input as it was decoded.
    """

    label: Any
    probability: float
    parts: Grid | Words
    method: str
    decoded: Any


def scaled(values: np.ndarray) -> np.ndarray:
    """Values whose largest size is 1; zeros stay.

    Example:
        >>> scaled(np.array([1.0, -4.0])).tolist()
        [0.25, -1.0]
    """
    largest = float(np.abs(values).max(initial=0.0))
    return np.asarray(values / largest if largest > 0 else values, np.float64)
