"""One extraction's work: what is asked, what is there, what is missing, and computing that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from icecore.backbones import INPUT, Extractor
from icecore.data import Dataset
from icecore.errors import StoreError
from icecore.features.pipeline import Job, compute
from icecore.features.progress import Progress
from icecore.features.trust import set_aside_what_differs
from icecore.features.writing import Writer
from icecore.prefix import Column
from icecore.store import Claim, Table

_LOOK_SECONDS = 2.0  # between looks at what another process has done


@dataclass(eq=False)
class Work:
    """The missing rows of a data set, computed and committed.

    Attributes:
        backbone, dataset, table: what with, of what, where to.
        wanted: the columns asked for, with their keys in the table.
        first: each distinct row, with the first position in the data set that has it.
        batch_size, workers: see `extract`.
        failed: rows that came to nothing, with the reasons.
        computed: rows that went through the network.
        remarks: what was remarked of how many of them.
    """

    backbone: Extractor
    dataset: Dataset
    table: Table
    wanted: Mapping[Column, str]
    first: Mapping[bytes, int]
    batch_size: int
    workers: int
    failed: dict[bytes, str] = field(default_factory=dict)
    computed: set[bytes] = field(default_factory=set)
    remarks: Counter[str] = field(default_factory=Counter)

    def run(self, progress: Progress) -> None:
        """Compute what is missing. What another process has claimed is waited for, and computed if it died."""
        set_aside_what_differs(self.backbone, self.table, self.wanted, list(self.first), self._jobs)
        missing = self._missing()
        while missing:
            with self.table.claim(missing) as claim:
                mine = [row for row, ours in zip(missing, claim.mine, strict=True) if ours]
                self._compute(self._lacking(mine), progress)  # one who finished just now may have committed some
                self._wait(claim, missing, progress)
            missing = self._missing()
            if missing and claim.mine.all():
                raise StoreError(
                    f"{len(missing):,} rows that were just written to {self.table.folder} are gone.",
                    do="Run the command again; if this stays, `icecore store verify` tells whether the disk is sound.",
                )

    def _missing(self) -> list[bytes]:
        return self._lacking([row for row in self.first if row not in self.failed])

    def _lacking(self, rows: Sequence[bytes]) -> list[bytes]:
        lacking = self.table.missing(list(self.wanted.values()), rows)
        return [row for row, lacks in zip(rows, lacking, strict=True) if lacks]

    def _jobs(self, rows: Sequence[bytes]) -> Iterator[Job]:
        return (Job(row, self.dataset.inputs[self.first[row]]) for row in rows)

    def _compute(self, rows: Sequence[bytes], progress: Progress) -> None:
        """Compute rows, those that lack the same columns together."""
        for columns, group in self._by_lack(rows):
            through_network = any(column.layer != INPUT for column in columns)
            batches = compute(
                self.backbone, self._jobs(group), columns, batch_size=self.batch_size, workers=self.workers
            )
            with (
                progress.task("extracting" if through_network else "reading", len(group)) as task,
                Writer(self.table, self.backbone, {column: self.wanted[column] for column in columns}) as writer,
                closing(batches),
            ):
                for done in batches:
                    writer.add(done)
                    self.failed.update(done.failed)
                    if through_network:
                        self.computed.update(done.rows)
                        self.remarks.update(done.remarks)
                    task.advance(len(done.rows) + len(done.failed))

    def _by_lack(self, rows: Sequence[bytes]) -> Iterator[tuple[list[Column], list[bytes]]]:
        if not rows:
            return
        lacks = np.stack([self.table.missing([key], rows) for key in self.wanted.values()], axis=1)
        patterns, which = np.unique(lacks, axis=0, return_inverse=True)
        names = list(self.wanted)
        for number, pattern in enumerate(patterns):
            columns = [names[i] for i in np.flatnonzero(pattern)]
            if columns:
                yield columns, [row for row, mine in zip(rows, which.reshape(-1) == number, strict=True) if mine]

    def _wait(self, claim: Claim, rows: Sequence[bytes], progress: Progress) -> None:
        """Wait for those who compute the rest, telling how far they are."""
        theirs = [row for row, ours in zip(rows, claim.mine, strict=True) if not ours]
        if not theirs:
            return
        with progress.task("waiting for another process", len(theirs)) as task:
            there = 0
            while not claim.wait_for_others(_LOOK_SECONDS):
                now = len(theirs) - len(self._lacking(theirs))
                task.advance(now - there)
                there = now
