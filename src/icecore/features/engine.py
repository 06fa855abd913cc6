"""Which engine computes a data set's missing rows.

A few of the first rows show what the eager engine takes, and so whether it pays to try others on the user's own inputs.
What was measured is remembered in the store, for each machine and network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

_FEW = 16  # items for which no choice is made

Jobs = Callable[[slice], Sequence[Job]]


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

    def runner(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Runner | None:
        """What is to compute some columns of n rows; None is the eager engine.

        Args:
            columns: what is wanted.
            n: how many rows are missing.
            jobs: from a slice of them to their jobs.
        """
        engine = getattr(self.backbone, "engine", EAGER)
        if not can_choose(self.backbone, columns):
            return None
        return self._measured(columns, n, jobs) if engine == AUTO else self._named(columns, engine, n, jobs)

    def _measured(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Runner | None:
        verdict = self.verdicts.read(self.backbone, columns)
        batch = self._batch(n, jobs) if verdict is not None or n > _FEW else []
        if verdict is None and batch:
            each = worth_probing(self.backbone, columns, batch, n)
            verdict = None if each is None else self._probed(columns, batch, n, each)
        if verdict is None or not batch:
            return self._eager(columns, n, jobs)
        return self._told(chosen(self.backbone, columns, verdict, batch, n))

    def _eager(self, columns: Sequence[Column], n: int, jobs: Jobs) -> Runner | None:
        """The eager engine; in a lower precision it is checked like any other."""
        return None if precision_of(self.backbone) == "float32" else self._named(columns, EAGER, n, jobs)

    def _named(self, columns: Sequence[Column], engine: str, n: int, jobs: Jobs) -> Runner | None:
        batch = self._batch(n, jobs)
        return self._told(named(self.backbone, columns, engine, batch)) if batch else None

    def _batch(self, n: int, jobs: Jobs) -> list[Any]:
        """A few prepared inputs that may share a batch, of the first rows that can be prepared; or none."""
        size = min(self.batch_size, _FEW)
        found = (prepared_batch(self.backbone, jobs(slice(i, min(n, i + size)))) for i in range(0, n, size))
        return next(filter(None, found), [])

    def _told(self, choice: Choice) -> Runner:
        """The runner of a choice; why it was chosen is said, where there was a choice."""
        if choice.why and choice.why not in self.used:
            self.used.append(choice.why)
            tell(self.progress, f"Engine: {choice.why}")
        return choice.runner

    def _probed(self, columns: Sequence[Column], batch: Sequence[Any], n: int, eager: float) -> Verdict:
        with self.progress.task("trying engines", 1) as task:
            verdict = probe(self.backbone, columns, batch, n, eager)
            task.advance(1)
        self.verdicts.write(self.backbone, columns, verdict)
        return verdict
