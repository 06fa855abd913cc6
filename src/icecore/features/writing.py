"""Rows on their way into the store: collected, and committed a part at a time, in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Condition, Thread
from types import TracebackType
from typing import Self

import numpy as np

from icecore.backbones import Extractor
from icecore.features.forward import Rows, joined
from icecore.features.pipeline import Computed
from icecore.features.stages import WRITE, Stages
from icecore.prefix import Column
from icecore.store import Table

_PART_BYTES = 32 << 20
_LEAST_SECONDS, _SHARE, _MOST_SECONDS = 0.5, 0.1, 10.0
_LIBRARIES = ("torch", "timm", "torchvision", "transformers", "pillow")


class Writer:
    """Collects computed rows and commits them, while others are computed, and when left for whatever reason.

    A part is committed every 32 MB, and every tenth of the time spent so far, between half a second and ten: what a
    killed run may lose. Whoever adds rows waits while more than another 32 MB are to be written. What goes wrong is
    raised where the next rows are added, or at the end.

    Args:
        table: where to.
        backbone: what computes them.
        columns: what is written, with the keys in the table.
        stages: clocks that are kept going.
    """

    def __init__(self, table: Table, backbone: Extractor, columns: Mapping[Column, str], stages: Stages) -> None:
        self._table, self._columns, self._stages = table, columns, stages
        self._about = {key: {"id": backbone.id, "layer": c.layer, "pooling": c.pooling} for c, key in columns.items()}
        self._written_by = written_by(backbone)
        self._changed = Condition()
        self._added: list[Computed] = []
        self._bytes = 0  # in self._added
        self._over = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="icecore-write")

    def __enter__(self) -> Self:
        self._began = self._committed = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None and self._error is not error:
            raise self._error

    def add(self, computed: Computed) -> None:
        """Take rows, to be committed when enough have come together."""
        with self._changed:
            with self._stages.blocked():
                self._changed.wait_for(lambda: self._bytes < _PART_BYTES or self._error is not None)
            if self._error is not None:
                raise self._error
            self._added.append(computed)
            self._bytes += _nbytes(computed)
            self._changed.notify_all()

    def _run(self) -> None:
        """Collect and commit until there is no more, or something goes wrong."""
        try:
            pending, size = [], 0
            while taken := self._taken():
                pending += [computed for computed in taken if computed.rows]
                size += sum(map(_nbytes, taken))
                if size >= _PART_BYTES or self._due():
                    self._commit(pending)
                    pending, size = [], 0
            self._commit(pending)
        except BaseException as error:  # noqa: BLE001 - raised where rows are added
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _taken(self) -> list[Computed]:
        """What was added since the last time; waits for it. Nothing when there is no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._added or self._over)
            taken, self._added, self._bytes = self._added, [], 0
            self._changed.notify_all()
        return taken

    def _commit(self, pending: Sequence[Computed]) -> None:
        """Write what is pending as one part."""
        self._committed = time.monotonic()
        if pending:
            with self._stages.clock(WRITE):
                rows = [row for computed in pending for row in computed.rows]
                values = {key: joined([computed.values[c] for computed in pending]) for c, key in self._columns.items()}
                self._table.append(rows, values, about=self._about, written_by=self._written_by)

    def _due(self) -> bool:
        now = time.monotonic()
        return now - self._committed >= min(max(_LEAST_SECONDS, _SHARE * (now - self._began)), _MOST_SECONDS)


def _nbytes(computed: Computed) -> int:
    return sum(_bytes_of(rows) for rows in computed.values.values())


def _bytes_of(rows: Rows) -> int:
    return rows.nbytes if isinstance(rows, np.ndarray) else sum(row.nbytes for row in rows)


def written_by(backbone: Extractor) -> dict[str, str]:
    """The engine, its device and the versions that compute a part; recorded in it, not in its key.

    A network that no library here computes says its own `engine`.
    """
    own = getattr(backbone, "engine", None)
    if own is not None:
        return dict(own)
    device = str(getattr(backbone, "device", "")).partition(":")[0]
    return {"engine": "eager"} | ({"device": device} if device else {}) | _versions()


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
