"""Ctrl-C that waits for the step under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """`requested` turns true when the user presses Ctrl-C (or a notebook's stop button) inside `watch`."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def watch(self) -> Iterator[Interruption]:
        """Catches the first SIGINT; a second one interrupts at once, as Python does by itself."""
        if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
            yield self
            return
        former = signal.getsignal(signal.SIGINT)

        def note(_number, _frame) -> None:
            self.requested = True
            signal.signal(signal.SIGINT, former)

        signal.signal(signal.SIGINT, note)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, former)
