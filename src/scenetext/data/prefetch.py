"""Work done by threads a little ahead of its use.

Threads, not processes: decoding and resizing leave Python's lock, nothing travels through /dev/shm, and an error is
raised where its result is asked for.
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
        work: called by the threads.
        items: taken one by one.
        threads: that work.
        count: results at most that wait or are worked on; bounds the memory.
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
