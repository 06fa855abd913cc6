"""Which engine computes a data set's missing rows: decided while the first of them are computed.

The eager engine begins. From what the first rows take follows what the rest would take, and whether it pays to try
others on the user's own inputs. What was measured is remembered in the store, for each machine and network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from icecore.backbones import Extractor
from icecore.features.pipeline import Job, prepared_batch
from icecore.features.progress import Progress, tell
from icecore.prefix import Column, precision_of
from icecore.prefix.engines import (
    AUTO,
    EAGER,
    Choice,
    Runner,
    Verdict,
    Verdicts,
    can_choose,
    chosen,
    named,
    probe,
    worth_probing,
)

_FIRST = 16  # items that show what an item takes, after as many that warm up


@dataclass
class Engines:
    """The engines of one extraction.

    Args:
        backbone: the network; says which engine was asked for.
        verdicts: what is remembered.
        batch_size: items in a batch at most.
        progress: told what was chosen.

    Attributes:
        used: what was chosen, and why; empty where the eager engine did all without a choice.
    """

    backbone: Extractor
    verdicts: Verdicts
    batch_size: int
    progress: Progress
    used: list[str] = field(default_factory=list)

    def parts(
        self, columns: Sequence[Column], n: int, jobs: Callable[[slice], Sequence[Job]]
    ) -> Iterator[tuple[Runner | None, slice]]:
        """Engines for parts of n rows, in order; None is the eager one. How long the caller takes for a part counts."""
        engine = getattr(self.backbone, "engine", EAGER)
        if not can_choose(self.backbone, columns):
            yield None, slice(n)
        elif engine == AUTO:
            yield from self._measured(columns, n, jobs)
        else:
            yield self._named(columns, engine, n, jobs), slice(n)

    def _measured(
        self, columns: Sequence[Column], n: int, jobs: Callable[[slice], Sequence[Job]]
    ) -> Iterator[tuple[Runner | None, slice]]:
        eager, verdict, done = self._eager(columns, n, jobs), self.verdicts.read(self.backbone, columns), 0
        if verdict is None and n > 2 * _FIRST:
            yield eager, slice(_FIRST)
            began, done = time.monotonic(), 2 * _FIRST
            yield eager, slice(_FIRST, done)
            each = (time.monotonic() - began) / _FIRST
            if worth_probing(self.backbone, each * (n - done)):
                batch = self._batch(n, jobs, done)
                verdict = self._probed(columns, batch, n - done, each) if batch else None
        batch = [] if verdict is None else self._batch(n, jobs, done)
        if verdict is None or not batch:
            yield eager, slice(done, n)
            return
        yield self._told(chosen(self.backbone, columns, verdict, batch, n - done)), slice(done, n)

    def _eager(self, columns: Sequence[Column], n: int, jobs: Callable[[slice], Sequence[Job]]) -> Runner | None:
        """The eager engine; in a lower precision it is checked like any other."""
        return None if precision_of(self.backbone) == "float32" else self._named(columns, EAGER, n, jobs)

    def _named(
        self, columns: Sequence[Column], engine: str, n: int, jobs: Callable[[slice], Sequence[Job]]
    ) -> Runner | None:
        batch = self._batch(n, jobs, 0)
        return self._told(named(self.backbone, columns, engine, batch)) if batch else None

    def _batch(self, n: int, jobs: Callable[[slice], Sequence[Job]], start: int) -> list[Any]:
        """A batch of prepared inputs, of the first rows that can be prepared; empty where none can."""
        steps = range(start, n, self.batch_size)
        found = (prepared_batch(self.backbone, jobs(slice(i, min(n, i + self.batch_size)))) for i in steps)
        return next(filter(None, found), [])

    def _told(self, choice: Choice) -> Runner:
        """The runner of a choice; why it was chosen is said, where there was a choice."""
        if choice.why and choice.why not in self.used:
            self.used.append(choice.why)
            tell(self.progress, f"Engine: {choice.why}")
        return choice.runner

    def _probed(self, columns: Sequence[Column], batch: Sequence[Any], left: int, eager: float) -> Verdict:
        with self.progress.task("trying engines", 1) as task:
            verdict = probe(self.backbone, columns, batch, left, eager)
            task.advance(1)
        self.verdicts.write(self.backbone, columns, verdict)
        return verdict
