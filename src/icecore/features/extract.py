"""Extract: plan what is missing, compute it, commit it, and hand back features that are read from the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from icecore.backbones import INPUT, Extractor
from icecore.data import BadItem, Dataset
from icecore.errors import BadItemsError, StoreError
from icecore.features.hashing import row_keys
from icecore.features.pipeline import Job, compute
from icecore.features.progress import Progress, Silent
from icecore.features.result import Features, Report
from icecore.features.writing import Writer
from icecore.prefix import Column, column_key, network_about, network_key
from icecore.store import Store, Table

_ROUNDS = 3  # of waiting for another process that may die before it has computed what it claimed
_SHOWN = 5


def extract(
    backbone: Extractor,
    dataset: Dataset,
    columns: Sequence[Column],
    *,
    store: Store,
    batch_size: int = 32,
    workers: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Features:
    """Features of a data set: what the store has is read, the rest is computed once and committed.

    Args:
        backbone: the frozen network.
        dataset: the items. Equal contents are computed once.
        columns: what is wanted; all layers come from one pass.
        store: where rows are kept.
        batch_size: items in one forward pass; halved where they do not fit in memory.
        workers: threads that read and decode; by default as many as there are cores, up to 8.
        strict: make bad items an error instead of setting them aside.
        progress: told about the work.

    Raises BadItemsError (strict), StoreError.
    """
    began = time.monotonic()
    rows, unreadable = row_keys(dataset, store.file_rows)
    table = store.table(network_key(backbone), network_about(backbone))
    wanted = {column: column_key(backbone, column) for column in columns}
    first = _first_of_each(rows)
    work = _Work(backbone, dataset, table, wanted, first, batch_size, workers or min(8, os.cpu_count() or 1))
    work.run(progress or Silent())
    bad = _all_bad(dataset, rows, unreadable, work.failed)
    if strict and bad:
        raise bad_items_error(bad)
    good = np.array([row is not None and row not in work.failed for row in rows], dtype=bool)
    kept = [row for row in rows if row is not None and row not in work.failed]
    computed = sum(row in work.computed for row in kept)
    report = Report(computed, len(kept) - computed, time.monotonic() - began)
    return Features(dataset.take(np.flatnonzero(good)), kept, wanted, table, bad, report)


def bad_items_error(bad: Sequence[BadItem]) -> BadItemsError:
    """The error that lists bad items."""
    listed = "; ".join(f"row {item.row} ({item.input}): {item.reason}" for item in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return BadItemsError(
        f"{len(bad)} items cannot be used: {listed}{more}.",
        do="Mend or remove them, or leave strictness out to set them aside.",
    )


class _Work:
    """One extraction's share of the missing rows."""

    def __init__(
        self,
        backbone: Extractor,
        dataset: Dataset,
        table: Table,
        wanted: Mapping[Column, str],
        first: Mapping[bytes, int],
        batch_size: int,
        workers: int,
    ) -> None:
        self.backbone, self.dataset, self.table, self.wanted = backbone, dataset, table, wanted
        self.first, self.batch_size, self.workers = first, batch_size, workers
        self.failed: dict[bytes, str] = {}
        self.computed: set[bytes] = set()

    def run(self, progress: Progress) -> None:
        """Compute what is missing. What another process has claimed is waited for, and computed if it died."""
        for _ in range(_ROUNDS):
            missing = self._missing()
            if not missing:
                return
            with self.table.claim(missing) as claim:
                mine = [row for row, ours in zip(missing, claim.mine, strict=True) if ours]
                self._compute(self._lacking(mine), progress)  # one who finished just now may have committed some
                claim.wait_for_others()
        if self._missing():
            raise StoreError("Rows claimed by other processes did not come.", do="Run the command again.")

    def _missing(self) -> list[bytes]:
        return self._lacking([row for row in self.first if row not in self.failed])

    def _lacking(self, rows: Sequence[bytes]) -> list[bytes]:
        lacking = self.table.missing(list(self.wanted.values()), rows)
        return [row for row, lacks in zip(rows, lacking, strict=True) if lacks]

    def _compute(self, rows: Sequence[bytes], progress: Progress) -> None:
        """Compute rows, those that lack the same columns together."""
        if not rows:
            return
        for columns, group in self._by_lack(rows):
            through_network = any(column.layer != INPUT for column in columns)
            jobs = (Job(row, self.dataset.inputs[self.first[row]]) for row in group)
            label = "extracting" if through_network else "reading"
            with progress.task(label, len(group)) as task, Writer(self.table, self.backbone, columns) as writer:
                for done in compute(self.backbone, jobs, columns, batch_size=self.batch_size, workers=self.workers):
                    writer.add(done)
                    self.failed.update(done.failed)
                    self.computed.update(done.rows if through_network else ())
                    task.advance(len(done.rows) + len(done.failed))

    def _by_lack(self, rows: Sequence[bytes]) -> Iterator[tuple[list[Column], list[bytes]]]:
        lacks = np.stack([self.table.missing([key], rows) for key in self.wanted.values()], axis=1)
        patterns, which = np.unique(lacks, axis=0, return_inverse=True)
        names = list(self.wanted)
        for number, pattern in enumerate(patterns):
            columns = [names[i] for i in np.flatnonzero(pattern)]
            if columns:
                yield columns, [row for row, mine in zip(rows, which.reshape(-1) == number, strict=True) if mine]


def _first_of_each(rows: Sequence[bytes | None]) -> dict[bytes, int]:
    first: dict[bytes, int] = {}
    for position, row in enumerate(rows):
        if row is not None:
            first.setdefault(row, position)
    return first


def _all_bad(
    dataset: Dataset, rows: Sequence[bytes | None], unreadable: Sequence[BadItem], failed: Mapping[bytes, str]
) -> tuple[BadItem, ...]:
    places = [(i, failed[row]) for i, row in enumerate(rows) if row is not None and row in failed]
    undecoded = [BadItem(dataset.inputs[i].row, dataset.inputs[i].name, reason) for i, reason in places]
    return tuple(sorted([*dataset.bad, *unreadable, *undecoded], key=lambda item: item.row))
