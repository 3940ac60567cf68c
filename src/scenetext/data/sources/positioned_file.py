"""Reading a file at any position, by several threads at the same time, and never beyond its end."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.file_names import shown_path


class PositionedFile:
    """A file that stays open as long as this lives. Pages are read, not mapped: a mapped file that has become shorter
    ends the process.

    Args:
        path: the file.

    Attributes:
        size_bytes: its size when it was opened.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, path: Path):
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{shown_path(path)} cannot be read: {error.strerror}.") from None
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._number = self._file.fileno()
        self.size_bytes = os.fstat(self._number).st_size

    def read(self, at: int, count: int) -> bytes:
        """`count` bytes from a position on.

        Raises:
            EOFError: the file has not so many there.
        """
        if at < 0 or at + count > self.size_bytes:
            raise EOFError
        if hasattr(os, "pread"):
            data = os.pread(self._number, count, at)
        else:  # Windows has one position for all threads
            with self._lock:
                self._file.seek(at)
                data = self._file.read(count)
        if len(data) < count:  # it has become shorter
            raise EOFError
        return data
