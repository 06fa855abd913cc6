"""What an extraction gives back: features of the good items, the bad items, and what it cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icecore.data import BadItem, Dataset, modality_named
from icecore.errors import LayerError
from icecore.features.finding import SideBySide, Source
from icecore.features.stored import StoredRows, as_matrix
from icecore.prefix import Column
from icecore.store import RowKeys


@dataclass(frozen=True, slots=True)
class Report:
    """What an extraction cost.

    Attributes:
        computed: distinct inputs that went through the network now; tuples of which a part did.
        reused: the other items: their rows came from the store, or from an equal item.
        seconds: all in all.
        remarks: what was remarked of how many of the computed ones, such as that they were cut or resampled; the most
            frequent first.
        stages: seconds that each part of the pipeline took; see `icecore.features.stages.Stages`.
        engines: which engines were chosen to compute, and why, where there was a choice.
    """

    computed: int
    reused: int
    seconds: float
    remarks: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    engines: tuple[str, ...] = ()

    def notes(self, modality: str) -> tuple[str, ...]:
        """What had to be done to how many of the inputs computed now, as sentences to say aloud."""
        of = f"of the {self.computed:,} {modality_named(modality).noun} computed now"
        return tuple(f"{n:,} {of} ({n / self.computed:.1%}) {what}." for what, n in self.remarks.items())


@dataclass(frozen=True)
class Features:
    """Features of a data set, read from the store when asked for.

    Attributes:
        dataset: the good items only, in their order; `dataset.inputs[i].row` is the place in the user's data.
        rows: row keys of the good items, a sequence of bytes.
        columns: what was asked for, with the keys in the source.
        source: where the values are read.
        bad: the items set aside, with row and reason.
        report: rows computed and reused, seconds.
        parts: where items are tuples, the same of each part, by its name.
    """

    dataset: Dataset
    rows: RowKeys
    columns: Mapping[Column, str]
    source: Source
    bad: tuple[BadItem, ...]
    report: Report
    parts: Mapping[str, Report] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def origins(self) -> Sequence[bytes]:
        """Equal where items are no independent examples: the row keys, of pairs those of their images."""
        return [self.source.first(row) for row in self.rows] if isinstance(self.source, SideBySide) else self.rows

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences to say aloud: what the reader of the data said, and what had to be done to how many inputs."""
        reports = self.parts or {self.dataset.modality: self.report}
        return (*self.dataset.notes, *(note for name, report in reports.items() for note in report.notes(name)))

    @property
    def layers(self) -> list[str]:
        """Names of the layers asked for, in the order in which they finish."""
        return list(dict.fromkeys(column.layer for column in self.columns))

    def read(self, layer: str | Column | None = None) -> np.ndarray | list[np.ndarray]:
        """Values of a layer, in the order of the items.

        Returns:
            float32 (n, channels), or a list of n arrays of the layer's own shape where nothing was pooled.

        Raises LayerError for a layer that was not asked for.
        """
        return self.source.read(self.columns[self._column(layer)], self.rows)

    def __getitem__(self, layer: str) -> np.ndarray | list[np.ndarray]:
        return self.read(layer)

    def take(self, index: np.ndarray) -> Features:
        """The items at these positions, in this order, or where a mask is True; nothing is read yet."""
        at = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index, np.int64)
        return replace(self, dataset=self.dataset.take(at), rows=self.rows.take(at))

    def matrix(self, layer: str | Column | None = None) -> np.ndarray:
        """Values of a layer as float32 (n, d); rows that were not pooled are flattened. Raises LayerError."""
        return as_matrix(self.read(layer))

    def stored(self, layer: str | Column | None = None) -> StoredRows:
        """`matrix` without reading it: rows are read from the store when they are asked for. Raises LayerError."""
        column = self._column(layer)
        return StoredRows(self.source, self.columns[column], self.rows, math.prod(self.shape(column)))

    def named(self) -> dict[str, Column]:
        """The columns by name. See `named`."""
        return named(self.columns)

    def shape(self, layer: str | Column | None = None) -> tuple[int, ...]:
        """Shape of one item's value, from the first item; empty where there is none."""
        return self.take(np.arange(min(1, len(self)))).read(layer)[0].shape if len(self) else ()

    def _column(self, layer: str | Column | None) -> Column:
        if isinstance(layer, Column) and layer in self.columns:
            return layer
        found = [column for column in self.columns if layer is None or column.layer == layer]
        if len(found) == 1:
            return found[0]
        have = ", ".join(f"{c.layer} ({c.pooling})" for c in self.columns)
        came = "No layer was named" if layer is None else f"{layer!r} was asked for"
        raise LayerError(f"{came}, and there are {have}.", do="Name one of them.")


def named(columns: Collection[Column]) -> dict[str, Column]:
    """Columns by name: the layer's, with the pooling where it was pooled in several ways.

    Example:
        >>> list(named([Column("a", "mean"), Column("a", "max"), Column("last", "none")]))
        ['a (mean)', 'a (max)', 'last']
    """
    times = Counter(column.layer for column in columns)
    return {c.layer if times[c.layer] == 1 else f"{c.layer} ({c.pooling})": c for c in columns}
