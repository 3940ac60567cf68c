"""The last net: whatever ends a command becomes one sentence and an exit status.

An exception that nobody foresaw is a fault of this package: its traceback goes to a file, and the sentence names it.
With the environment variable SCENETEXT_TRACEBACK=1 every exception shows its traceback instead, for debugging.
"""

from __future__ import annotations

import errno
import itertools
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from scenetext import __version__
from scenetext.errors import SHOW_TRACEBACK, InputError, RunError

_LONGEST_TEXT = 300
_INTERRUPTED = 130  # as shells report a process that SIGINT ended
_WAYS_OUT = {
    errno.ENOSPC: "the disk is full: make room and start again",
    errno.EDQUOT: "the quota of the disk is used up: make room and start again",
    errno.EROFS: "nothing can be written there: name another place",
    errno.EACCES: "this user has no right to: change the rights, or name another place",
    errno.EPERM: "this user has no right to: change the rights, or name another place",
    errno.EMFILE: "this process may open no more files: raise the limit by `ulimit -n 4096`",
}


class LastNet:
    """Turns the exception that ends the block into a sentence on stderr; SystemExit passes.

    Args:
        name: begins the sentence; may be changed within the block.

    Attributes:
        status: after the block, the exit status: 0, 1 for a failure, 2 for wrong input, 130 for Ctrl-C.
    """

    def __init__(self, name: str):
        self.name = name
        self.status = 0

    def __enter__(self) -> LastNet:
        self._failed_writes: list[OSError] = []
        self._streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
        for stream in self._streams:
            if hasattr(stream, "reconfigure"):  # a character that the terminal lacks ends no work
                stream.reconfigure(errors="backslashreplace")
            stream.write = self._noting(stream.write)
        self._former_hook = threading.excepthook
        threading.excepthook = self._thread_ended
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        threading.excepthook = self._former_hook
        for stream in self._streams:
            del stream.write  # the method of its class is in force again
        unwritable = _unwritable(sys.stdout)
        failed = [*self._failed_writes, *filter(None, [unwritable])]
        if error is not None and os.environ.get(SHOW_TRACEBACK):
            return False
        if failed and (error is None or isinstance(error, SystemExit) or error in failed):
            self.status = 1
            if not isinstance(failed[0], BrokenPipeError):  # whoever read our output has ended, like `head`
                self._tell(f"the output cannot be written: {_reason(failed[0])}.")
            return True
        if error is None or isinstance(error, SystemExit):
            return False
        self.status, sentence = outcome(error)
        self._tell(sentence)
        return True

    def _noting(self, write: Callable[[str], int]) -> Callable[[str], int]:
        """Writes, and notes which errors are those of the output: they name no file."""

        def noting(text: str) -> int:
            try:
                return write(text)
            except OSError as error:
                self._failed_writes.append(error)
                raise

        return noting

    def _thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not os.environ.get(SHOW_TRACEBACK):
            self._tell(f"a thread ended: {outcome(ended.exc_value)[1]}")
        else:
            self._former_hook(ended)

    def _tell(self, sentence: str) -> None:
        try:
            print(f"{self.name}: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
        except (OSError, ValueError):  # nobody reads it, or it is closed
            _unwritable(sys.stderr)


def outcome(error: BaseException) -> tuple[int, str]:
    """Exit status and sentence for an exception that ended a command; writes the traceback of an unforeseen one."""
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, RunError):
        return 1, str(error)
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED, f"stopped by Ctrl-C{f'; {error}' if str(error) else ''}."
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("scenetext"):
        package = error.name.partition(".")[0]
        return 1, f"The package {package!r} is missing from {sys.prefix}: `make install` or pip installs it."
    if isinstance(error, ImportError) and "cannot open shared object file" in str(error):
        return 1, (
            f"{str(error).partition(':')[0]}, which OpenCV or another package needs, is not on this machine: install "
            "it (on Debian `apt install libgl1 libglib2.0-0` brings OpenCV's), or take the OpenCV that needs no screen "
            "by `pip install --force-reinstall --no-deps opencv-python-headless==4.10.0.84`."
        )
    if isinstance(error, OSError) and error.filename is not None:
        return 1, f"{os.fsdecode(error.filename)}: {_reason(error)}."
    if isinstance(error, MemoryError):
        text = _text(error)
        return 1, (
            f"The memory is full{f' ({text})' if text else ''}: close other programs, or take smaller batches; where "
            f"it happened is in {keep_traceback(error)}."
        )
    return 1, (
        f"{type(error).__name__}: {_text(error) or 'no message'}; this is a fault of scenetext, or of a library that "
        f"it uses. Please report it with the file {keep_traceback(error)}, which holds the traceback."
    )


def keep_traceback(error: BaseException | str) -> str:
    """Writes a traceback, and what is needed to understand it, to a file in the current folder or the temporary one.

    Args:
        error: the exception, or the traceback as text.

    Returns:
        The file's path, or why there is none, in brackets.
    """
    text = error if isinstance(error, str) else "".join(traceback.format_exception(error))
    paddle = getattr(sys.modules.get("paddle"), "__version__", "not imported")
    heading = (
        f"scenetext {__version__}, Python {platform.python_version()}, Paddle {paddle}, {platform.platform()}\n"
        f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}, process {os.getpid()}\n{' '.join(sys.argv)}\n\n"
    )
    stem = f"scenetext-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    cause = "no folder"
    for folder in (_current_folder(), tempfile.gettempdir()):
        for number in itertools.count():
            path = Path(folder, f"{stem}{f'-{number}' if number else ''}.txt")
            try:
                with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(heading + text)
                return str(path)
            except FileExistsError:
                continue
            except OSError as failed:
                cause = f"{folder}: {_reason(failed)}"
                break
    return f"(no file could be written, {cause})"


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return tempfile.gettempdir()


def _unwritable(stream: TextIO | None) -> OSError | None:
    """Why a stream cannot be written, None if it can; one that cannot is led nowhere, so that nothing fails later."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _reason(error: OSError) -> str:
    text = error.strerror or _text(error)
    way_out = _WAYS_OUT.get(error.errno)
    return f"{text} ({way_out})" if way_out else text


def _text(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
