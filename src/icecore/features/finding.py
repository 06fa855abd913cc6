"""From a data set to rows in the store: what is there is found, what is missing is computed and committed.

A network that joins others has no rows of its own. Each part of its inputs is found by itself, under its own keys, so
that an image with five texts goes through the network for images once; the parts are put side by side when read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from icecore import keys
from icecore.backbones import INPUT, Extractor, JoinedBackbone
from icecore.data import Dataset, part_of
from icecore.features.hashing import row_keys
from icecore.features.progress import Progress
from icecore.features.stages import STAGES
from icecore.features.work import Work
from icecore.prefix import Column, canonical_pooling, column_key, network_about, network_key
from icecore.prefix.engines import Verdicts
from icecore.store import RowKeys, Store

Mask: TypeAlias = NDArray[np.bool_]


class Source(Protocol):
    """Where the values of rows are read: a `Table` of the store, or several side by side."""

    def read(self, column: str, rows: Sequence[bytes], /) -> np.ndarray | list[np.ndarray]:
        """The values of rows under a column's key, in the order asked."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a data set, which are in the store now.

    Attributes:
        rows: the row key of each item.
        good: which of them are there, (n,); the others were set aside.
        reasons: why, by the item's position.
        columns: what was asked for, with the keys in `source`.
        source: where they are read.
        computed: which items went through a network, the first of equal ones, (n,).
        remarks: what was remarked of how many of them, or of their parts.
        parts: where items are tuples, the same of each part, by its name.
        engines: which engines were chosen to compute, and why, where there was a choice.
        stages: seconds that each part of the pipeline took; of tuples, of all their parts.
    """

    rows: RowKeys
    good: Mask
    reasons: dict[int, str]
    columns: Mapping[Column, str]
    source: Source
    computed: Mask
    remarks: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, Found] = field(default_factory=dict)
    engines: Sequence[str] = ()
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds rows. The arguments are those of `extract`."""

    store: Store
    batch_size: int
    workers: int | None
    progress: Progress
    ahead: int = 0

    def find(self, backbone: Extractor, dataset: Dataset, columns: Sequence[Column]) -> Found:
        """Rows of a data set. What the store lacks is computed."""
        if isinstance(backbone, JoinedBackbone):
            return self._in_parts(backbone, dataset, columns)
        rows, good, reasons = row_keys(dataset, self.store.file_rows, self.progress)
        at = np.flatnonzero(good)
        readable, own = only(good, dataset, rows)
        table = self.store.table(network_key(backbone), network_about(backbone))
        wanted = {column: column_key(backbone, column) for column in columns}
        verdicts = Verdicts(self.store.root)
        work = Work(backbone, readable, own, table, wanted, self.batch_size, self.workers, verdicts, self.ahead)
        if wanted:
            work.run(self.progress)
        failed = np.flatnonzero(own.isin(work.failed))
        reasons |= {int(at[i]): work.failed[own[i]] for i in failed.tolist()}
        good[at[failed]] = False
        computed = np.zeros(len(rows), bool)
        computed[at] = work.computed
        said, stages = dict(work.remarks.most_common()), work.stages.seconds
        return Found(rows, good, reasons, wanted, table, computed, said, stages=stages, engines=work.engines)

    def _in_parts(self, backbone: JoinedBackbone, dataset: Dataset, columns: Sequence[Column]) -> Found:
        """Rows of tuples: those of their parts, which must all be good."""
        ways = {column: _of_parts(backbone, column) for column in columns}
        parts: dict[str, Found] = {}
        for place, (name, part) in enumerate(backbone.parts.items()):
            asked = list(dict.fromkeys(way[name] for way in ways.values() if name in way))
            parts[name] = self.find(part, part_of(dataset, place, name), asked)
        rows, good, apart = _joined(list(parts.values()))
        reasons = {i: f"{name}: {why}" for name, part in reversed(parts.items()) for i, why in part.reasons.items()}
        wanted = {column: column_key(backbone, column) for column in columns}
        source = SideBySide(parts, apart, {wanted[column]: way for column, way in ways.items()})
        computed = good & _firsts(rows) & np.logical_or.reduce([_recomputed(part) for part in parts.values()])
        remarks = sum((Counter(part.remarks) for part in parts.values()), Counter[str]())
        stages = {stage: sum(part.stages[stage] for part in parts.values()) for stage in STAGES}
        engines = [engine for part in parts.values() for engine in part.engines]
        return Found(rows, good, reasons, wanted, source, computed, remarks, parts, engines, stages)


class SideBySide:
    """Values of the parts of tuples, read one beside the other.

    Args:
        parts: what was found of each, by its name.
        apart: row keys of tuples, with those of their parts.
        ways: for the key of each column, what is read of which parts.
    """

    def __init__(
        self,
        parts: Mapping[str, Found],
        apart: Mapping[bytes, Sequence[bytes]],
        ways: Mapping[str, Mapping[str, Column]],
    ) -> None:
        self._parts, self._apart, self._ways = parts, apart, ways
        self._places = {name: place for place, name in enumerate(parts)}

    def read(self, column: str, rows: Sequence[bytes], /) -> np.ndarray | list[np.ndarray]:
        """The values of rows, in the order asked; (n, d) where they are of more than one part."""
        found = [self._of(name, own, rows) for name, own in self._ways[column].items()]
        return found[0] if len(found) == 1 else np.hstack(found)

    def first(self, row: bytes) -> bytes:
        """The row key of a tuple's first part."""
        return self._apart[row][0]

    def _of(self, name: str, column: Column, rows: Sequence[bytes]) -> np.ndarray | list[np.ndarray]:
        part, place = self._parts[name], self._places[name]
        return part.source.read(part.columns[column], [self._apart[row][place] for row in rows])


def _of_parts(backbone: JoinedBackbone, column: Column) -> dict[str, Column]:
    """What a column is read from, by the name of the part."""
    way = {}
    for name, layer in backbone.of_parts(column.layer).items():
        pooling = "thumbnail" if layer == INPUT else column.pooling
        way[name] = Column(layer, canonical_pooling(backbone.parts[name].layers()[layer], pooling))
    return way


def _joined(parts: Sequence[Found]) -> tuple[RowKeys, Mask, dict[bytes, tuple[bytes, ...]]]:
    """The row key of each tuple, which of them have all their parts, and the parts of each row."""
    good: Mask = np.logical_and.reduce([part.good for part in parts])
    rows = np.zeros((len(good), keys.DIGEST_SIZE), np.uint8)
    apart: dict[bytes, tuple[bytes, ...]] = {}
    for i in np.flatnonzero(good).tolist():
        own = tuple(part.rows[i] for part in parts)
        row = keys.row_of_tuple(own)
        rows[i], apart[row] = np.frombuffer(row, np.uint8), own
    return RowKeys(rows), good, apart


def _recomputed(part: Found) -> Mask:
    """Which items have a row that was computed now, all of equal ones."""
    return part.rows.isin(part.rows.take(part.computed))


def _firsts(rows: RowKeys) -> Mask:
    mask = np.zeros(len(rows), bool)
    mask[rows.firsts()] = True
    return mask


def only(mask: Mask, dataset: Dataset, rows: RowKeys) -> tuple[Dataset, RowKeys]:
    """Where the mask is True; all of it without a copy."""
    return (dataset, rows) if mask.all() else (dataset.take(mask), rows.take(mask))
