"""Rows on their way into the store: collected, and committed a part at a time, in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

import numpy as np

from icecore.backbones import Extractor
from icecore.features.pipeline import Computed
from icecore.features.stages import WRITE, Stages
from icecore.prefix import Column, precision_of
from icecore.prefix.engines import EAGER, Rows, Runner, joined, versions_of
from icecore.store import Table

_PART_BYTES = 32 << 20
_LEAST_SECONDS, _SHARE, _MOST_SECONDS = 0.5, 0.1, 10.0
_SMALL, _LARGE = 1e-3, 6e4  # the largest value of what float16 keeps well: it is fine down to 6e-5
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
        runner: the engine that computes them, where it is not the eager one.
    """

    def __init__(
        self,
        table: Table,
        backbone: Extractor,
        columns: Mapping[Column, str],
        stages: Stages,
        runner: Runner | None = None,
    ) -> None:
        self._table, self._columns, self._stages = table, columns, stages
        self._about = {key: {"id": backbone.id, "layer": c.layer, "pooling": c.pooling} for c, key in columns.items()}
        self._written_by = written_by(backbone, runner)
        self._halves = precision_of(backbone) == "bfloat16"
        self._changed = Condition()
        self._added: list[Computed] = []
        self._bytes = 0  # in self._added
        self._over = False
        self._error: BaseException | None = None
        self._ended = Event()

    def __enter__(self) -> Self:
        self._began = self._committed = time.monotonic()
        try:
            Thread(target=self._run, name="icecore-write").start()
        except BaseException:  # Ctrl-C at this moment: the thread may have begun, and would wait for ever
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        try:
            self._ended.wait()  # not `join`, which takes a thread for done when Ctrl-C comes (Python 3.11 and 3.12)
        except BaseException:  # what is being written is finished first
            self._ended.wait()
            raise
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

    def _end(self) -> None:
        with self._changed:
            self._over = True
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
        finally:
            self._ended.set()

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
                own = self._columns.items()
                values = {key: self._kept([computed.values[c] for computed in pending]) for c, key in own}
                self._table.append(rows, values, about=self._about, written_by=self._written_by)

    def _kept(self, values: list[Rows]) -> Rows:
        """Rows as they are stored: what was computed in bfloat16 as float16, where that holds it."""
        rows = joined(values)
        if not self._halves:
            return rows
        return _halved(rows) if isinstance(rows, np.ndarray) else [_halved(row) for row in rows]

    def _due(self) -> bool:
        now = time.monotonic()
        return now - self._committed >= min(max(_LEAST_SECONDS, _SHARE * (now - self._began)), _MOST_SECONDS)


def _nbytes(computed: Computed) -> int:
    return sum(_bytes_of(rows) for rows in computed.values.values())


def _bytes_of(rows: Rows) -> int:
    return rows.nbytes if isinstance(rows, np.ndarray) else sum(row.nbytes for row in rows)


def _halved(values: np.ndarray) -> np.ndarray:
    """In float16, which is finer than bfloat16 but reaches less far; as it is where it does not reach."""
    largest = float(np.abs(values).max(initial=0))
    return values.astype(np.float16) if largest == 0 or _SMALL < largest < _LARGE else values


def written_by(backbone: Extractor, runner: Runner | None = None) -> dict[str, str]:
    """The engine, its device and the versions that compute a part; recorded in it, not in its key.

    A network that no library here computes says its own in `written_by`.
    """
    own = getattr(backbone, "written_by", None)
    if own is not None:
        return dict(own)
    device = str(getattr(backbone, "device", "")).partition(":")[0]
    engine = {"engine": runner.engine, **runner.versions} if runner else {"engine": EAGER}
    return engine | ({"device": device} if device else {}) | _versions()


def same_writer(writer: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether rows of a writer can be taken without a look: its versions are ours.

    Whichever engine it was: none is used before its values agree with the eager one's.
    """
    engine = writer.get("engine", EAGER)
    return dict(writer) == dict(ours) | {"engine": engine} | versions_of(engine)


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
