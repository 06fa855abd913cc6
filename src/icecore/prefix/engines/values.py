"""What comes of a batch: values by column, a row for each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from icecore.prefix.columns import Column

Rows = np.ndarray | list[np.ndarray]  # a list where their shapes differ
Values = dict[Column, Rows]


class Runner(Protocol):
    """Runs batches of prepared inputs through a prefix.

    Attributes:
        engine: its name.
        in_flight: how many batches may be given to it at once, from threads of their own.
        versions: of the libraries that it computes with, apart from torch.
    """

    engine: str
    in_flight: int
    versions: Mapping[str, str]

    def __call__(self, batch: Sequence[Any]) -> Values:
        """Values by column, (n, ...) each, of n inputs of one bucket."""
        ...


def joined(values: Sequence[Rows]) -> Rows:
    """One matrix where rows are vectors of one length; else a list of rows in their own shapes."""
    arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim == 2]
    if len(arrays) == len(values) and len({value.shape[1] for value in arrays}) == 1:
        return np.concatenate(arrays)
    return [row for value in values for row in value]
