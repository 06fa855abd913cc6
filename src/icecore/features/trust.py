"""Trust: before rows that another version or engine wrote are reused, a few are computed here and compared.

A key says what a value derives from, not by which release of a library it was computed. Releases agree within the
tolerance of the precision, or else their rows must not be mixed with ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icecore.backbones import Extractor
from icecore.features.pipeline import Job, compute
from icecore.features.writing import same_writer, written_by
from icecore.keys import canonical
from icecore.prefix import Column, precision_of
from icecore.prefix.engines import TOLERANCES, apart, said
from icecore.store import RowKeys, Table

_SAMPLE = 3
_judged: set[tuple[Path, str, bytes, bytes]] = set()  # for the life of the process: nothing that was agreed on changes

Jobs = Callable[[Sequence[bytes]], Iterable[Job]]


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What another writer left in a column: its key, who wrote it, and a few of the rows."""

    column: Column
    key: str
    writer: Mapping[str, str]
    rows: list[bytes]


def set_aside_what_differs(
    backbone: Extractor, table: Table, wanted: Mapping[Column, str], rows: RowKeys, jobs: Jobs
) -> None:
    """Compare a few stored rows of each other writer with what is computed here; set aside columns that differ.

    Done once a process for each table, column and writer. What is set aside is missing again, and a warning says so.

    Args:
        backbone: computes the sample.
        table: where the rows are.
        wanted: the columns asked for, with their keys in the table.
        rows: what is asked for, each once; some may be missing.
        jobs: the items of rows.
    """
    ours = written_by(backbone)
    suspects = list(_suspects(table, wanted, rows, ours))
    if not suspects:
        return
    sample = list(dict.fromkeys(row for suspect in suspects for row in suspect.rows))
    columns = list(dict.fromkeys(suspect.column for suspect in suspects))
    fresh: dict[tuple[bytes, Column], np.ndarray] = {}
    for done in compute(backbone, jobs(sample), columns, batch_size=len(sample), workers=1):
        fresh |= {(row, c): values[i] for c, values in done.values.items() for i, row in enumerate(done.rows)}
    for suspect in suspects:
        _judge(table, suspect, fresh, ours, precision_of(backbone))


def _suspects(table: Table, wanted: Mapping[Column, str], rows: RowKeys, ours: Mapping[str, str]) -> Iterator[_Suspect]:
    for column, key in wanted.items():
        for writer, at in table.writers(key, rows):
            if not same_writer(writer, ours) and _case(table, key, writer, ours) not in _judged:
                spread = at[np.linspace(0, len(at) - 1, _SAMPLE).astype(int)].tolist()
                yield _Suspect(column, key, writer, [rows[i] for i in dict.fromkeys(spread)])


def _judge(
    table: Table,
    suspect: _Suspect,
    fresh: Mapping[tuple[bytes, Column], np.ndarray],
    ours: Mapping[str, str],
    precision: str,
) -> None:
    rows = [row for row in suspect.rows if (row, suspect.column) in fresh]  # not those that cannot be decoded now
    stored = table.read(suspect.key, rows) if rows else []
    worst = apart([fresh[row, suspect.column] for row in rows], list(stored), precision)
    _judged.add(_case(table, suspect.key, suspect.writer, ours))
    if worst <= TOLERANCES[precision]:
        return
    gone = table.set_aside(suspect.key, suspect.writer)
    warnings.warn(
        f"{gone:,} stored rows of {suspect.column.layer} ({suspect.column.pooling}) were computed with "
        f"{_difference(suspect.writer, ours)}, and differ from what is computed here by {said(worst, precision)}. "
        "They were set aside and are computed again.",
        stacklevel=2,
    )


def _case(table: Table, key: str, writer: Mapping[str, str], ours: Mapping[str, str]) -> tuple[Path, str, bytes, bytes]:
    return table.folder, key, canonical(writer), canonical(ours)


def _difference(writer: Mapping[str, str], ours: Mapping[str, str]) -> str:
    names = sorted(name for name in writer.keys() | ours.keys() if writer.get(name) != ours.get(name))
    return ", ".join(f"{name} {writer.get(name, 'absent')} (here {ours.get(name, 'absent')})" for name in names)
