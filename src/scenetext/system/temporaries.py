"""Hidden temporary files and folders beside what is written, and the removal of those that dead processes left.

A temporary is locked for as long as its process lives, so one that can be locked is a leftover. The lock holds between
containers that share a folder, too, where process numbers mean nothing. Where there are no such locks (Windows, some
network file systems) nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SUFFIX = ".scenetext-new"
_LONGEST_NAME = 60  # characters of the target's name in the temporary's, whose length file systems limit
_cleaned: set[tuple[int, str]] = set()  # (process, folder)


Held = int | None  # a descriptor that keeps a temporary locked; None where there are no locks


def new_file(path: Path) -> tuple[Held, Path]:
    """A new empty file beside `path`, which is locked until `let_go`.

    Leftovers of dead processes in that folder are removed first, once per process.
    """
    remove_leftovers(path.parent)
    held = None
    while held is None:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=SUFFIX)
        if fcntl is None:
            os.close(descriptor)
            return None, Path(name)
        held = _hold(descriptor, name)
    return held, Path(name)


def new_folder(path: Path) -> tuple[Held, Path]:
    """A new empty folder beside `path`, which is locked until `let_go`; leftovers are removed first."""
    remove_leftovers(path.parent)
    held = None
    while held is None:
        name = tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path), suffix=SUFFIX)
        if fcntl is None:
            return None, Path(name)
        with suppress(FileNotFoundError):  # another process has taken it for a leftover before it was opened
            held = _hold(os.open(name, os.O_RDONLY), name)
    return held, Path(name)


def let_go(held: Held) -> None:
    """Ends the lock of a temporary."""
    if held is not None:
        os.close(held)


def is_temporary_of(name: str | Path, path: Path) -> bool:
    """Whether `name` is a temporary that was made for `path`, or lies in one."""
    start = str(path.parent / _prefix(path))
    return str(Path(name)).startswith(start)


def remove_leftovers(folder: Path) -> None:
    """Removes the temporaries of dead processes in `folder`; a second call of the same process does nothing."""
    key = (os.getpid(), os.path.abspath(folder))
    if fcntl is None or key in _cleaned:
        return
    _cleaned.add(key)
    for entry in os.scandir(folder):
        if entry.name.startswith(".") and entry.name.endswith(SUFFIX) and not entry.is_symlink():
            with suppress(OSError):  # a leftover that cannot be locked or removed harms nobody
                _remove_unless_held(entry)


def _remove_unless_held(entry: os.DirEntry[str]) -> None:
    descriptor = os.open(entry.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    finally:
        os.close(descriptor)


def _prefix(path: Path) -> str:
    return f".{path.name[:_LONGEST_NAME]}."


def _hold(descriptor: int, name: str) -> Held:
    """Locks a new temporary; None if another process has taken it for a leftover in the moment before."""
    with suppress(OSError):  # a file system without locks, on which nobody can take it for a leftover either
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        if os.path.samestat(os.fstat(descriptor), os.stat(name)):
            return descriptor
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return None
