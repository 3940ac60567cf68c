"""Work that needs a process of its own, `python -m MODULE`: run once, or kept open for one job after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from scenetext.errors import InputError, RunError
from scenetext.system.last_net import keep_traceback

DONE = "job done"  # the line by which the process says that it waits for the next job
_TRACEBACK = "Traceback (most recent call last)"
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"  # Apple's libraries may crash in a copied process


def run_module(module: str, arguments: Sequence[str], on_line: Callable[[str], object] = lambda line: None) -> None:
    """Runs `python -m module` in a fresh process.

    Args:
        module: dotted name.
        arguments: its command line.
        on_line: called with each line of its standard output at once.

    Raises:
        InputError, RunError: it failed; the message is its own one, or holds the last line that it wrote.
    """
    with _error_file() as errors, _start(module, arguments, {}, subprocess.DEVNULL, errors) as process:
        try:
            for line in process.stdout:
                on_line(line.rstrip("\n"))
        except BaseException:
            process.kill()
            raise
        if process.wait():
            raise _failure(module, process, errors)


class JobProcess:
    """`python -m module` kept open, so that it imports once for all jobs; it starts at once, beside the caller's work.

    Args:
        module: dotted name; its main calls `serve_jobs`.
        environment: further environment variables.
    """

    def __init__(self, module: str, environment: Mapping[str, str]):
        self.module, self.environment = module, environment
        self._open()

    def _open(self) -> None:
        self._errors = _error_file()
        self._process = _start(self.module, [], self.environment, subprocess.PIPE, self._errors)

    def run(self, job: Path) -> None:
        """Runs one job, in the same state as a fresh process.

        Args:
            job: a folder that the module understands.

        Raises:
            InputError, RunError: the process ended; the message is its own one, or holds the last line that it wrote.
        """
        try:
            print(job, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise _failure(self.module, self._process, self._errors) from None
        if not any(line.rstrip("\n") == DONE for line in self._process.stdout):
            raise _failure(self.module, self._process, self._errors)
        if not CAN_FORK:
            self._close()
            self._open()

    def __enter__(self) -> JobProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def _close(self) -> None:
        self._process.kill()  # between jobs it holds nothing that could be lost
        self._process.communicate()
        self._errors.close()


def serve_jobs(do: Callable[[Path], None]) -> None:
    """The other side of JobProcess: runs jobs until there are no more, each in a copy of this process.

    So the state that a job leaves in a library does not reach the next job. On Windows and macOS, where processes
    cannot be copied, JobProcess starts another process for the next job.
    """
    for line in sys.stdin:
        job = Path(line.rstrip("\n"))
        if CAN_FORK:
            _do_in_copy(do, job)
        else:
            do(job)
        print(DONE, flush=True)


def _do_in_copy(do: Callable[[Path], None], job: Path) -> None:
    copy = os.fork()
    if not copy:
        status = 1
        try:
            do(job)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    if status < 0:
        print(f"killed by signal {-status}, perhaps out of memory", file=sys.stderr)
    if status:
        sys.exit(1)


def _error_file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def _start(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], stdin: int, errors: IO[str]
) -> subprocess.Popen[str]:
    # this copy of the package, also where it is not installed
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        errors="replace",
    )


def _failure(module: str, process: subprocess.Popen[str], errors: IO[str]) -> InputError | RunError:
    """The exception for a process that has failed: its own InputError or RunError, else one with its last line."""
    status = process.wait()
    errors.seek(0)
    written = errors.read()
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    last = lines[-1] if lines else "no message"
    for own in (InputError, RunError):
        if last.startswith(f"{own.__module__}.{own.__name__}: "):
            return own(last.partition(": ")[2])
    if _TRACEBACK in written:
        last = f"{last.rstrip('.')}; its traceback is in {keep_traceback(written)}"
    return RunError(f"python -m {module} ended with status {status}: {last}.")
