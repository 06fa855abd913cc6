"""How many threads read and decode, and how many items each takes at a time: from what the stages were seen to cost."""

from __future__ import annotations

import math
import os
import time

from icecore.features.stages import DECODE, IDLE, PREPARE, READ, Stages

_MOST = 32  # threads: more have not been tried on any machine
_SPARE = 1.25  # work of the readers over that of the network, so that it seldom waits
_LOOK_SECONDS = 0.25
_SLICE_SECONDS, _MOST_AT_ONCE = 2e-3, 64  # handing a slice over costs some 50 us


class Pace:
    """Threads for reading: so many that the network does not wait for them, and no more.

    On a CPU each takes a core from the network while it decodes, and wakes others for nothing where the network is
    slow. Waiting for a disk takes none, so threads for that come on top of the cores.

    Args:
        stages: clocks of the pipeline.
        fixed: the user's number, which is kept to; None chooses.

    Attributes:
        threads: how many there should be now. All cores at first, for nothing else is to do before the first batch.
    """

    def __init__(self, stages: Stages, fixed: int | None = None) -> None:
        self._stages, self._fixed, self._cores = stages, fixed, cores()
        self.threads = fixed or min(_MOST, self._cores)
        self._prepared = self._taken = 0
        self._seen = (time.perf_counter(), dict(stages.seconds), 0, 0)

    def prepared(self, items: int) -> None:
        """So many more are prepared. Any thread may say so; a lost count does no harm."""
        self._prepared += items

    def took(self, items: int) -> None:
        """So many more were taken for the network."""
        self._taken += items
        if self._fixed is None and time.perf_counter() - self._seen[0] >= _LOOK_SECONDS:
            self._look()

    @property
    def slice(self) -> int:
        """Items that a thread should take at a time: one, unless they are small."""
        spent = self._stages.seconds
        each = (spent[READ] + spent[DECODE] + spent[PREPARE]) / max(1, self._prepared)
        return max(1, min(_MOST_AT_ONCE, int(_SLICE_SECONDS / each))) if each else 1

    def _look(self) -> None:
        """Choose anew from what happened since the last look."""
        began, before, prepared, taken = self._seen
        now, spent = time.perf_counter(), dict(self._stages.seconds)
        made, went = self._prepared - prepared, self._taken - taken
        if not made or not went:
            return
        self._seen = now, spent, self._prepared, self._taken
        reading = (spent[READ] - before[READ]) / made
        computing = sum(spent[stage] - before[stage] for stage in (DECODE, PREPARE)) / made
        network = max(1e-9, (now - began - (spent[IDLE] - before[IDLE])) / went)
        wanted = reading / network + min(self._cores, _SPARE * computing / network)
        self.threads = max(1, min(_MOST, math.ceil(wanted)))


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
