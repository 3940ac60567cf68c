"""Reading files whose names come from strangers: only regular files, and none larger than what is asked for can be.

A name in a label file or a setting may be a pipe, for which reading would wait for ever, or a device such as
/dev/zero, which has no end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from scenetext.errors import InputError, RunError

FAULTS = frozenset(
    {errno.EIO, errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE}
)  # of the machine, not of the file
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe is not waited for


def read_regular_file(path: str | Path, most_bytes: int, location: str | None = None) -> bytes:
    """The bytes of a regular file, or of the one that a link leads to.

    Args:
        path: the file.
        most_bytes: a larger file is refused before it is read.
        location: what messages call the file; the path if it is None.

    Raises:
        InputError: it is missing, cannot be read, is no regular file, or is too large.
        RunError: the disk or the system fails; another file would not help.
    """
    location = str(path) if location is None else location
    try:
        file = os.open(path, _FLAGS)
    except OSError as error:
        raise unreadable(error)(f"{location} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise InputError(f"{location} cannot be read: it is no name of a file.") from None
    try:
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{location} cannot be read: it is a folder.")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{location} cannot be read: it is a pipe or a device, not a file with an end.")
        check_bytes(status.st_size, most_bytes, location)
        data = os.read(file, status.st_size)
        while len(data) < status.st_size and (more := os.read(file, status.st_size - len(data))):  # beyond 2 GB
            data += more
        return data
    except OSError as error:
        raise unreadable(error)(f"{location} cannot be read: {error.strerror}.") from None
    finally:
        os.close(file)


def check_bytes(size_bytes: int, most_bytes: int, location: str) -> None:
    """Raises InputError if a file of that size is too large to be what it should be."""
    if size_bytes > most_bytes:
        raise InputError(
            f"{location} has {size_bytes:,} bytes; such a file may have {most_bytes:,} at most: give another one."
        )


def unreadable(error: OSError) -> type[InputError] | type[RunError]:
    """Whether a file that the system does not read is the user's to mend, or the machine fails."""
    return RunError if error.errno in FAULTS else InputError
