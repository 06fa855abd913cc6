"""Stages of the pipeline: how long each has worked, and which of them the others wait for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

READ, DECODE, PREPARE, FORWARD, WRITE, IDLE = "read", "decode", "prepare", "forward", "write", "idle"
STAGES = (READ, DECODE, PREPARE, FORWARD, WRITE, IDLE)

_BLOCKED = "blocked"  # seconds that the network waited until results were taken from it
_CALLED = {
    READ: "reading",
    DECODE: "decoding",
    PREPARE: "preparing",
    FORWARD: "the network",
    WRITE: "writing",
}


class Stages:
    """Clocks of one pipeline. Its threads may use them at once.

    `read` (with hashing), `decode` and `prepare` add up over threads, `forward` (with pooling) over batches in flight,
    `write` is the writer's own thread. `idle` are the seconds that the network waited for inputs.

    Example:
        >>> stages = Stages()
        >>> with stages.clock(DECODE):
        ...     pass
        >>> list(stages.seconds)
        ['read', 'decode', 'prepare', 'forward', 'write', 'idle']
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._spent = dict.fromkeys((*STAGES, _BLOCKED), 0.0)
        self._began: float | None = None

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Time what happens inside as this stage's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._add(stage, time.perf_counter() - began)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Time what happens inside as waiting for the writer."""
        with self.clock(_BLOCKED):
            yield

    @property
    def seconds(self) -> Mapping[str, float]:
        """Of every stage."""
        with self._lock:
            return {stage: self._spent[stage] for stage in STAGES}

    @property
    def bottleneck(self) -> str:
        """What the others wait for most, in words; empty as long as nothing has run."""
        with self._lock:
            spent, began = dict(self._spent), self._began
        if began is None:
            return ""
        waits = {
            IDLE: spent[IDLE],
            WRITE: spent[_BLOCKED],
            FORWARD: time.perf_counter() - began - spent[IDLE] - spent[_BLOCKED],
        }
        longest = max(waits, key=lambda wait: waits[wait])
        inputs = max((READ, DECODE, PREPARE), key=lambda stage: spent[stage])
        return _CALLED[inputs if longest == IDLE else longest]

    def _add(self, stage: str, seconds: float) -> None:
        with self._lock:
            self._began = self._began or time.perf_counter() - seconds
            self._spent[stage] += seconds
