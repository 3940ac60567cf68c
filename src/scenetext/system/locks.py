"""One process at a time: locks that several processes share through a file beside what they write."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from scenetext.errors import RunError
from scenetext.system.files import writing


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Lets one process at a time make `path`; the others of a parallel training wait, and then find it made.

    The lock is a hidden file beside `path`, which is removed at the end. On Windows filelock removes it. On other
    systems filelock leaves it, so it is removed here, while the lock is still held: a process that waits on the removed
    file gets its lock, sees that the file has no name any more, and begins anew with a new file. Removing the file
    after the release could take away the file that the next process has just locked.

    Args:
        path: the file or folder to make; its folder is made when missing.
    """
    with _locked(path, wait=True):
        yield


@contextmanager
def only_writer(path: str | Path) -> Iterator[None]:
    """Lets one process write `path`, and refuses every other one at once.

    Args:
        path: the file or folder that is written; its folder is made when missing.

    Raises:
        RunError: another process writes it now.
    """
    with _locked(Path(path), wait=False):
        yield


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[None]:
    name = path.with_name(f".{path.name}.lock")
    lock = FileLock(name, timeout=-1 if wait else 0)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                f"Another process is writing {path} now: wait until it has ended, or name another place."
            ) from None
    try:
        yield
    finally:
        if sys.platform != "win32":
            with suppress(OSError):  # the next one who takes the lock removes the file
                name.unlink(missing_ok=True)
        lock.release()
