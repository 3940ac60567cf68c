"""Work that threads do a little ahead of its use.

Threads suffice, because decoding and resizing release Python's lock. They need no /dev/shm, and an error is raised
where the result is taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int, count: int) -> Iterator[Result]:
    """Yields `work` of every item, in order.

    Args:
        work: the function that the threads call.
        items: its arguments, taken one by one.
        threads: the number of threads.
        count: the largest number of results that wait or are in work; bounds the memory.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
