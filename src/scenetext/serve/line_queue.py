"""Lines of concurrent requests, read together: dynamic batching without a waiting time.

Whenever a thread is free it takes the line that waits longest, and with it the waiting lines of the same canvas up to a
full batch. A batch is therefore as large as the load makes it: a single request is read at once, and while batches are
computed the next ones gather. As in `predict.line_reader`, only lines of equal canvas share a batch, so a text does not
depend on the requests beside it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from scenetext.predict.line_reader import FittedLine, LineReader

Reading = tuple[str, float]  # text and confidence


@dataclass(eq=False)
class _Request:
    """The lines of one request.

    Attributes:
        readings: of its lines, in order.
        missing: how many of them are not read yet.
        future: what whoever asked waits for.
    """

    readings: list[Reading]
    missing: int
    future: Future[list[Reading]] = field(default_factory=Future)


class _Waiting(NamedTuple):
    line: FittedLine
    request: _Request
    index: int


class LineQueue:
    """Reads lines in threads of its own.

    Args:
        open_reader: opens the reader that all threads use; it is called in the first of them, because not every engine
            may be used in another thread than the one that opened it.
        threads: how many batches are read at the same time; 1 for an engine that may be used in one thread only.
        on_batch: called with the number of lines of each batch.

    Attributes:
        reader: what `open_reader` gave; its `batch_size` is that of the batches here.

    Raises:
        InputError, RunError: what `open_reader` raises.
    """

    def __init__(
        self,
        open_reader: Callable[[], LineReader],
        threads: int,
        on_batch: Callable[[int], object] = lambda count: None,
    ):
        self._open_reader = open_reader
        self._on_batch = on_batch
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._opened: Future[LineReader] = Future()
        for number in range(threads):
            threading.Thread(target=self._work, args=(number == 0,), name=f"lines-{number}", daemon=True).start()
        self.reader = self._opened.result()

    def submit(self, lines: Sequence[FittedLine]) -> Future[list[Reading]]:
        """Queues the lines of one request; cancelling the future takes those out that still wait.

        Args:
            lines: fitted by `reader.fit`.

        Returns:
            Text and confidence of each, in order.
        """
        request = _Request([("", 0.0)] * len(lines), len(lines))
        if not lines:
            request.future.set_result([])
            return request.future
        with self._changed:
            self._waiting.extend(_Waiting(line, request, index) for index, line in enumerate(lines))
            self._changed.notify(len(lines))
        return request.future

    @property
    def length(self) -> int:
        """The number of lines that wait."""
        return len(self._waiting)

    def close(self) -> None:
        """Ends the threads when the lines that wait have been read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self, opens: bool) -> None:
        if opens:
            try:
                self._opened.set_result(self._open_reader())
            except BaseException as error:  # whoever opens the queue gets it
                self._opened.set_exception(error)
        if self._opened.exception() is not None:  # waits for it
            return
        reader = self._opened.result()
        while batch := self._next_batch(reader.batch_size):
            self._on_batch(len(batch))
            try:
                readings = reader.read([waiting.line for waiting in batch])
            except Exception as error:  # whoever waits for one of the lines gets it
                for waiting in batch:
                    self._finish(waiting.request, error)
                continue
            for waiting, reading in zip(batch, readings, strict=True):
                self._put(waiting, reading)

    def _next_batch(self, size: int) -> list[_Waiting]:
        """The lines to read next; none when the queue is closed and empty."""
        with self._changed:
            while True:
                wanted = [waiting for waiting in self._waiting if not waiting.request.future.done()]
                if wanted or self._closed:
                    break
                self._waiting.clear()
                self._changed.wait()
            batch: list[_Waiting] = []
            left: deque[_Waiting] = deque()
            for waiting in wanted:
                fits = len(batch) < size and waiting.line.canvas_size_px == wanted[0].line.canvas_size_px
                (batch if fits else left).append(waiting)
            self._waiting = left
            return batch

    def _put(self, waiting: _Waiting, reading: Reading) -> None:
        request = waiting.request
        with self._changed:  # several threads may read lines of one request
            request.readings[waiting.index] = reading
            request.missing -= 1
            is_complete = not request.missing
        if is_complete:
            self._finish(request)

    def _finish(self, request: _Request, error: Exception | None = None) -> None:
        with self._changed:
            if request.future.done() or not request.future.set_running_or_notify_cancel():
                return
            if error is not None:
                request.future.set_exception(error)
            else:
                request.future.set_result(request.readings)
