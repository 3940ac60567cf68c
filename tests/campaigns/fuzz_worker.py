"""The process in which the fuzz campaign calls a reader: bounded memory, and an audit of what the reader does.

    python fuzz_worker.py READER FOLDER

It reads names of files from its standard input, one a line, calls the reader on each, and answers with a line of JSON.
FOLDER is the only place where it may write.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

MOST_BYTES = 2_000_000_000  # of memory that one case may take
_COMMANDS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn")
_NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "urllib.Request")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Audit:
    """Notes commands, connections, and changes of files outside of a folder."""

    def __init__(self, folder: Path) -> None:
        self.allowed = (str(folder.resolve()) + os.sep, "/dev/null/")
        self.seen: list[str] = []
        self.is_on = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on or self._is_harmless(event, arguments):
            return
        self.seen.append(f"{event} {arguments!r}"[:300])

    def _is_harmless(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in _COMMANDS or event in _NETWORK:
            return False
        if event == "open":
            return not (isinstance(arguments[2], int) and arguments[2] & _WRITING) or self._is_inside(arguments[0])
        if event in _CHANGES:
            return self._is_inside(arguments[0])
        if event == "exec":  # code that no file of an installed module holds
            name = getattr(arguments[0], "co_filename", "")
            return name.startswith(("<", "namedtuple")) or Path(name).suffix == ".py"
        return True

    def _is_inside(self, path: Any) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # an open file
        return (os.path.abspath(os.fsdecode(path)) + os.sep).startswith(self.allowed)


def answer(read: Any, path: Path, audit: Audit) -> dict[str, Any]:
    """What came of one file: its kind, the message, processor seconds and peak memory in bytes."""
    from scenetext.errors import InputError, RunError

    forget_peak()
    started = time.process_time()
    audit.seen.clear()
    audit.is_on = True
    kind, message = "result", ""
    try:
        read(path)
    except (InputError, RunError) as error:
        message = str(error)
        kind = "own" if path.name.partition(".")[0] in message else "nameless"
        cause: BaseException | None = error
        while cause is not None:  # the net around a reader must not hide that a bound is missing
            if isinstance(cause, (MemoryError, RecursionError)):
                kind = "memory"
            cause = cause.__cause__ or cause.__context__
    except MemoryError:
        kind, message = "memory", "MemoryError"
    except BaseException as error:
        kind, message = "foreign", f"{type(error).__name__}: {error} ({_place(error)})"
    audit.is_on = False
    if audit.seen:
        kind, message = "code", "; ".join(audit.seen)
    return {
        "kind": kind,
        "message": message.encode("utf-8", "backslashreplace").decode()[:600],
        "seconds": time.process_time() - started,
        "bytes": peak_bytes(),
    }


def _place(error: BaseException) -> str:
    """The deepest line of the package in a traceback."""
    place, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "scenetext" in name:
            place = f"{name.rpartition('scenetext/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def peak_bytes() -> int:
    """The most memory that the process had since `forget_peak`; getrusage would count the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Starts the measurement of a peak anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def limit_memory() -> None:
    """Allows MOST_BYTES more address space than the process has now, and no core files."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(reader: str, folder: Path) -> None:
    from fuzz_readers import CARELESS, READERS

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")  # readers may print
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.chdir(folder)
    audit = Audit(folder)
    read = READERS.get(reader, CARELESS).load()
    print(json.dumps({"ready": peak_bytes()}), file=out, flush=True)
    limit_memory()
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        print(json.dumps(answer(read, path, audit)), file=out, flush=True)
        for left in folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
