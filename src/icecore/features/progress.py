"""Progress: a bar with rate and ETA on a terminal, a plain line now and then otherwise, or nothing."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self, TextIO


class Progress(Protocol):
    """Told about long work. Use as a context manager around one task at a time."""

    def task(self, label: str, total: int) -> Task:
        """Begin a task of `total` items."""
        ...


class Task(Protocol):
    """One piece of long work."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def advance(self, items: int, waiting_for: str = "") -> None:
        """So many more are done, and this is what the work waits for most, in words."""
        ...


def tell(progress: Progress, line: str) -> None:
    """Say a line now, where the progress is shown to somebody."""
    if isinstance(progress, Terminal):
        progress.say(line)


class Silent:
    """No progress. For `--json`, tests and code that shows its own."""

    def task(self, label: str, total: int) -> Task:
        """A task that says nothing."""
        del label, total
        return _SilentTask()


class Terminal:
    """Progress on a stream: a live bar where it is a terminal, plain lines otherwise.

    Args:
        stream: standard error by default.
        every: seconds between plain lines.
    """

    def __init__(self, stream: TextIO | None = None, *, every: float = 5.0) -> None:
        self._stream, self._every = stream, every

    def say(self, line: str) -> None:
        """A line of its own."""
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    def task(self, label: str, total: int) -> Task:
        """A bar or plain lines, decided by the stream."""
        stream = self._stream or sys.stderr
        return _Bar(stream, label, total) if stream.isatty() else _Lines(stream, label, total, self._every)


class _SilentTask:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def advance(self, items: int, waiting_for: str = "") -> None:
        del items, waiting_for


class _Lines:
    """`label: 320 of 2,527 (41/s, 54 s left, waiting for decoding)`, at most every few seconds and only if the work
    takes that long.
    """

    def __init__(self, stream: TextIO, label: str, total: int, every: float) -> None:
        self._stream, self._label, self._total, self._every = stream, label, total, every
        self._done = 0

    def __enter__(self) -> Self:
        self._began = self._said = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._said > self._began:
            seconds = time.monotonic() - self._began
            self._say(f"{self._label}: {self._done:,} of {self._total:,} in {seconds:.0f} s")

    def advance(self, items: int, waiting_for: str = "") -> None:
        self._done += items
        now = time.monotonic()
        if now - self._said >= self._every:
            self._said = now
            rate = self._done / max(now - self._began, 1e-9)
            left = f", {(self._total - self._done) / rate:.0f} s left" if rate else ""
            self._say(f"{self._label}: {self._done:,} of {self._total:,} ({rate:.0f}/s{left}{_waiting(waiting_for)})")

    def _say(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class _Bar:
    def __init__(self, stream: TextIO, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar: Any = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._id = self._bar.add_task(label, total=total, rate="")
        self._done = 0

    def __enter__(self) -> Self:
        self._bar.start()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, items: int, waiting_for: str = "") -> None:
        self._done += items
        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        self._bar.update(self._id, advance=items, rate=f"{rate:.0f}/s{_waiting(waiting_for)}")


def _waiting(what: str) -> str:
    return f", waiting for {what}" if what else ""
