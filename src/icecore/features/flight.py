"""Several calls in flight at once, for networks that are waited for rather than computed with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Given = TypeVar("Given")
Taken = TypeVar("Taken")


def overlapped(call: Callable[[Given], Taken], items: Iterable[Given], limit: int) -> Generator[Taken, None, None]:
    """Results of a call for each item, as they come, at most `limit` calls at once.

    Where a call fails, or the user interrupts, the results of those under way come first: they may have been paid for.

    Example:
        >>> sorted(overlapped(abs, [-1, 2, -3], limit=2))
        [1, 2, 3]
    """
    if limit <= 1:
        yield from map(call, items)
        return
    flying: set[Future[Taken]] = set()
    with ThreadPoolExecutor(limit) as pool:
        try:
            for item in items:
                flying.add(pool.submit(call, item))
                if len(flying) == limit:
                    yield from _landed(flying)
            while flying:
                yield from _landed(flying)
        except GeneratorExit:
            raise
        except BaseException:
            wait(flying)
            yield from [future.result() for future in flying if future.exception() is None]
            raise


def _landed(flying: set[Future[Taken]]) -> Generator[Taken, None, None]:
    for future in wait(flying, return_when=FIRST_COMPLETED).done:
        flying.discard(future)
        yield future.result()
