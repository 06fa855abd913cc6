"""Which engine computes a data set's missing rows.

What the first rows take by the eager engine shows whether it may pay to try others on the user's own inputs.
What was measured is remembered in the store, for each machine and network.
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
    Trial,
    Verdict,
    Verdicts,
    can_choose,
    chosen,
    may_pay,
    named,
    probe,
    worth_probing,
)

_FEW = 32  # items for which no choice is made
_BATCH = 16  # items to check and try engines on
_SLICE = 8  # the first ones, twice: the first time sets things up

Jobs = Callable[[slice], Sequence[Job]]


@dataclass
class Engines:
    """The engines of one extraction.

    Args:
        backbone: the network; says which engine was asked for.
        verdicts: what is remembered.
        batch_size: items in a batch at most.
        progress: told what was chosen.
        ahead: how many more items of this network will be asked for soon: an engine has to pay for all of them.

    Attributes:
        used: what was chosen, and why; empty where the eager engine did all without a choice.
    """

    backbone: Extractor
    verdicts: Verdicts
    batch_size: int
    progress: Progress
    ahead: int = 0
    used: list[str] = field(default_factory=list)

    def parts(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Iterator[tuple[Runner | None, slice]]:
        """What is to compute some columns of which of n rows, in order; None is the eager engine.

        How long the caller takes for a part counts: it shows what the rest would take.

        Args:
            columns: what is wanted.
            n: how many rows are missing.
            jobs: from a slice of them to their jobs.
        """
        engine = getattr(self.backbone, "engine", EAGER)
        if not can_choose(self.backbone, columns):
            yield None, slice(n)
        elif engine != AUTO:
            yield self._named(columns, engine, n, jobs), slice(n)
        elif (verdict := self.verdicts.read(self.backbone, columns)) is not None:
            yield self._by(verdict, columns, n, jobs, 0), slice(n)
        else:
            yield from self._measured(columns, n, jobs)

    def _measured(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Iterator[tuple[Runner | None, slice]]:
        """In float32 the first rows tell whether there is much to do; in bfloat16 the eager engine may be very slow."""
        done, much = 0, n > _FEW
        while much and done < 2 * _SLICE and precision_of(self.backbone) == "float32":
            began, size = time.monotonic(), min(_SLICE, self.batch_size)
            yield None, slice(done, done + size)
            done += size
            much = may_pay(self.backbone, (time.monotonic() - began) / size * self._left(n, done))
        batch = self._batch(n, jobs, done) if much else []
        trial = worth_probing(self.backbone, columns, batch, self._left(n, done)) if batch else None
        if trial is None:
            yield self._eager(columns, n, jobs), slice(done, n)
        else:
            yield self._by(self._probed(columns, trial, self._left(n, done)), columns, n, jobs, done), slice(done, n)

    def _left(self, n: int, done: int) -> int:
        return n - done + self.ahead

    def _by(self, verdict: Verdict, columns: Sequence[Column], n: int, jobs: Jobs, done: int) -> Runner | None:
        batch = self._batch(n, jobs, done)
        return self._told(chosen(self.backbone, columns, verdict, batch, self._left(n, done))) if batch else None

    def _eager(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Runner | None:
        """The eager engine; in a lower precision it is checked like any other."""
        return None if precision_of(self.backbone) == "float32" else self._named(columns, EAGER, n, jobs)

    def _named(self, columns: Sequence[Column], engine: str, n: int, jobs: Jobs) -> Runner | None:
        batch = self._batch(n, jobs, 0)
        return self._told(named(self.backbone, columns, engine, batch)) if batch else None

    def _batch(self, n: int, jobs: Jobs, start: int) -> list[Any]:
        """A few prepared inputs that may share a batch, of the first rows that can be prepared; or none."""
        size = min(self.batch_size, _BATCH)
        found = (prepared_batch(self.backbone, jobs(slice(i, min(n, i + size)))) for i in range(start, n, size))
        return next(filter(None, found), [])

    def _told(self, choice: Choice) -> Runner:
        """The runner of a choice; why it was chosen is said, where there was a choice."""
        if choice.why and choice.why not in self.used:
            self.used.append(choice.why)
            tell(self.progress, f"Engine: {choice.why}")
        return choice.runner

    def _probed(self, columns: Sequence[Column], trial: Trial, n: int) -> Verdict:
        with self.progress.task("trying engines", 1) as task:
            verdict = probe(self.backbone, columns, trial, n)
            task.advance(1)
        self.verdicts.write(self.backbone, columns, verdict)
        return verdict
