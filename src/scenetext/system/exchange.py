"""Exchanging two folders in one step, where the system can."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def exchange(first: Path, second: Path) -> None:
    """Lets two folders of one file system take each other's names.

    On Linux this is one step of the kernel: whenever a process dies, each name has the former or the new folder.
    Elsewhere, and on file systems that lack it, it takes three renames, and a failed one is undone; a process that is
    killed between them leaves `second` under the name `first` with `.former` added.

    Raises:
        OSError: the disk refuses; both folders have their former names.
    """
    if not _exchange_in_kernel(first, second):
        former = first.with_name(f"{first.name}.former")
        os.replace(second, former)
        try:
            os.replace(first, second)
        except OSError:
            os.replace(former, second)
            raise
        os.replace(former, first)


def _exchange_in_kernel(first: Path, second: Path) -> bool:
    """False where the system or the file system has no such call."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    if not rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), os.fspath(second))


def flush_file_system(folder: Path) -> None:
    """Waits until everything that was written to the folder's file system is on the disk (Linux; elsewhere nothing).

    Raises:
        OSError: the disk refuses.
    """
    flush = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None
    if flush is None:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if flush(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(folder))
    finally:
        os.close(descriptor)
