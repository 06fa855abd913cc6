"""One extraction's work: what is asked, what is there, what is missing, and computing that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from icecore.backbones import INPUT, Extractor
from icecore.data import Dataset
from icecore.errors import StoreError
from icecore.features.engine import Engines
from icecore.features.pipeline import Job, compute
from icecore.features.progress import Progress
from icecore.features.stages import Stages
from icecore.features.trust import set_aside_what_differs
from icecore.features.writing import Writer
from icecore.prefix import Column
from icecore.prefix.engines import Runner, Verdicts
from icecore.store import Claim, RowKeys, Table

Positions: TypeAlias = NDArray[np.int64]  # in the data set

_LOOK_SECONDS = 2.0  # between looks at what another process has done


@dataclass(eq=False)
class Work:
    """The missing rows of a data set, computed and committed.

    Attributes:
        backbone, dataset, table: what with, of what, where to.
        wanted: the columns asked for, with their keys in the table.
        rows: the row keys of its items, (n,).
        batch_size, workers: see `extract`.
        verdicts: what is remembered of engines.
        ahead: see `extract`.
        failed: rows that came to nothing, with the reasons.
        computed: which items went through the network, the first of equal ones, (n,).
        remarks: what was remarked of how many of them.
        engines: which engines were chosen, and why, where there was a choice.
        stages: clocks of reading, forward and writing.
    """

    backbone: Extractor
    dataset: Dataset
    rows: RowKeys
    table: Table
    wanted: Mapping[Column, str]
    batch_size: int
    workers: int | None
    verdicts: Verdicts
    ahead: int = 0
    failed: dict[bytes, str] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    engines: list[str] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

    def __post_init__(self) -> None:
        self.computed = np.zeros(len(self.rows), bool)
        self._first = self.rows.firsts()  # of every distinct row, its first position

    def run(self, progress: Progress) -> None:
        """Compute what is missing. What another process has claimed is waited for, and computed if it died."""
        set_aside_what_differs(self.backbone, self.table, self.wanted, self._keys(self._first), self._jobs_of)
        missing = self._missing()
        while len(missing):
            with self.table.claim(self._keys(missing)) as claim:
                mine = self._lacking(missing[claim.mine])  # one who finished just now may have committed some
                self._compute(mine, progress)
                self._wait(claim, missing, progress)
            missing = self._missing()
            if len(missing) and claim.mine.all():
                raise StoreError(
                    f"{len(missing):,} rows that were just written to {self.table.folder} are gone.",
                    do="Run the command again; if this stays, `icecore store verify` tells whether the disk is sound.",
                )

    def _missing(self) -> Positions:
        failed = self._keys(self._first).isin(self.failed)
        return self._lacking(_where(~failed, self._first))

    def _lacking(self, at: Positions) -> Positions:
        """Those of some items that the table lacks a column of."""
        return _where(self.table.missing(list(self.wanted.values()), self._keys(at)), at)

    def _keys(self, at: Positions) -> RowKeys:
        """Row keys of items, whose positions ascend: without a copy where it is all of them."""
        return self.rows if len(at) == len(self.rows) else self.rows.take(at)

    def _jobs_of(self, rows: Sequence[bytes]) -> Iterator[Job]:
        return self._jobs(self._first[self._keys(self._first).isin(rows)])

    def _jobs_at(self, group: Positions, part: slice) -> list[Job]:
        return list(self._jobs(group[part]))

    def _jobs(self, at: Positions) -> Iterator[Job]:
        return (Job(self.rows[i], self.dataset.inputs[i]) for i in map(int, at))

    def _compute(self, at: Positions, progress: Progress) -> None:
        """Compute items, those that lack the same columns together."""
        for columns, group in self._by_lack(at):
            through_network = any(column.layer != INPUT for column in columns)
            engines = Engines(self.backbone, self.verdicts, self.batch_size, progress, self.ahead)
            for runner, part in engines.parts(columns, len(group), partial(self._jobs_at, group)):
                self._compute_by(runner, columns, group[part], progress)
            self.engines += engines.used
            self.computed[group] |= through_network

    def _compute_by(
        self, runner: Runner | None, columns: Sequence[Column], group: Positions, progress: Progress
    ) -> None:
        through_network = any(column.layer != INPUT for column in columns)
        batches = compute(
            self.backbone,
            self._jobs(group),
            columns,
            batch_size=self.batch_size,
            workers=self.workers,
            stages=self.stages,
            runner=runner,
        )
        columns_to = {column: self.wanted[column] for column in columns}
        with (
            progress.task("extracting" if through_network else "reading", len(group)) as task,
            Writer(self.table, self.backbone, columns_to, self.stages, runner) as writer,
            closing(batches),
        ):
            for done in batches:
                writer.add(done)
                self.failed.update(done.failed)
                if through_network:
                    self.remarks.update(done.remarks)
                task.advance(len(done.rows) + len(done.failed), self.stages.bottleneck)

    def _by_lack(self, at: Positions) -> Iterator[tuple[list[Column], Positions]]:
        if not len(at):
            return
        lacks = np.stack([self.table.missing([key], self._keys(at)) for key in self.wanted.values()], axis=1)
        patterns, which = np.unique(lacks, axis=0, return_inverse=True)
        names = list(self.wanted)
        for number, pattern in enumerate(patterns):
            columns = [names[i] for i in np.flatnonzero(pattern)]
            if columns:
                yield columns, _where(which.reshape(-1) == number, at)

    def _wait(self, claim: Claim, at: Positions, progress: Progress) -> None:
        """Wait for those who compute the rest, telling how far they are."""
        theirs = at[~claim.mine]
        if not len(theirs):
            return
        with progress.task("waiting for another process", len(theirs)) as task:
            there = 0
            while not claim.wait_for_others(_LOOK_SECONDS):
                now = len(theirs) - len(self._lacking(theirs))
                task.advance(now - there)
                there = now


def _where(mask: NDArray[np.bool_], at: Positions) -> Positions:
    """Positions where the mask is True; all of them without a copy."""
    return at if mask.all() else at[mask]
