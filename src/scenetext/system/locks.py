"""One process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def _is_open_as(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Lets one process make `path` while the others of a parallel training wait for it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with open(lock, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # the process before may have removed this very file, and another one locked a new one
            if not _is_open_as(lock, file):
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return
