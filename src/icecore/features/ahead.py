"""Results made ahead by threads, in order, by as many of them as the moment needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Given = TypeVar("Given")
Taken = TypeVar("Taken")


class Ahead(Generic[Given, Taken]):
    """What a call gives for each of some slices, in order, a bounded number of items ahead of who takes it.

    Use as a context manager: leaving it waits for the calls under way and begins no more.

    Args:
        call: made in one of the threads for each slice. What it raises is raised where its result is taken.
        slices: drawn by the threads, one thread at a time.
        ahead: items that may be under way or wait to be taken.
        threads: how many begin.
        start: called once in each thread.

    Example:
        >>> with Ahead(sum, iter([[1, 2], [3]]), ahead=10, threads=2) as sums:
        ...     list(sums)
        [3, 3]
    """

    def __init__(
        self,
        call: Callable[[Sequence[Given]], Taken],
        slices: Iterator[Sequence[Given]],
        *,
        ahead: int,
        threads: int,
        start: Callable[[], None] = lambda: None,
    ) -> None:
        self._call, self._slices, self._ahead, self._start = call, slices, ahead, start
        self._changed = Condition()
        self._made: deque[tuple[int, Future[Taken]]] = deque()
        self._items = 0  # in self._made
        self._over = False
        self._crew: list[Thread] = []
        self._threads = threads

    def __enter__(self) -> Self:
        try:
            self.threads = self._threads
        except BaseException:  # Ctrl-C at this moment: those that have begun would wait for ever
            with self._changed:
                self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._end()
        for thread in self._crew:
            thread.join()

    @property
    def threads(self) -> int:
        """How many may be at work; those above sleep. May be changed at any time."""
        return self._threads

    @threads.setter
    def threads(self, number: int) -> None:
        with self._changed:
            self._threads = number
            while len(self._crew) < number and not self._over:
                self._crew.append(Thread(target=self._work, args=(len(self._crew),), name="icecore-read"))
                self._crew[-1].start()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Taken]:
        return self

    def __next__(self) -> Taken:
        with self._changed:
            self._changed.wait_for(lambda: self._made or self._over)
            if not self._made:
                raise StopIteration
            items, future = self._made.popleft()
            self._items -= items
            self._changed.notify_all()
        return future.result()

    def _work(self, number: int) -> None:
        self._start()
        while drawn := self._draw(number):
            items, future = drawn
            try:
                future.set_result(self._call(items))
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken
                future.set_exception(error)

    def _draw(self, number: int) -> tuple[Sequence[Given], Future[Taken]] | None:
        """The next slice, when it is this thread's turn; None when there is no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or (number < self._threads and self._items < self._ahead))
            if self._over:
                return None
            future: Future[Taken] = Future()
            try:
                items = next(self._slices)
            except StopIteration:
                self._end()
                return None
            except BaseException as error:  # noqa: BLE001 - raised where the result would have been taken
                self._made.append((0, future))
                future.set_exception(error)
                self._end()
                return None
            self._made.append((len(items), future))
            self._items += len(items)
            self._changed.notify_all()
            return items, future

    def _end(self) -> None:
        self._over = True
        self._changed.notify_all()
