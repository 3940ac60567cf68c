"""Runs single steps of a scenario in copies of a warm process, disturbed at a chosen file call by crash_shim.c.

Importing Paddle takes seconds and a step a fraction of one. So one process imports what a scenario needs
(crash_zygote.py) and forks for every step. The fork is armed: its file calls below the world folder are counted, and
the n-th is disturbed.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
MODES = ("watch", "kill", "torn", "eio", "enospc", "erofs")  # as in crash_shim.c
DISTURBING = MODES[1:]
HEADER = struct.Struct("4i4096s")  # as in crash_shim.c: calls, target, mode, fired, folder
CALL_BYTES, MOST_CALLS = 240, 20_000
STEP_LIMIT_S = 120


def unusable() -> str | None:
    """Why crash points cannot be tried here; None if they can."""
    if not sys.platform.startswith("linux"):
        return "crash points need Linux and LD_PRELOAD"
    return None if compiler() else "crash points need a C compiler: none of gcc, cc and clang is here"


def compiler() -> str | None:
    """The path of a C compiler, or None."""
    return next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)


def build_shim(folder: Path) -> Path:
    """Compiles crash_shim.c into a folder and returns the library's path."""
    library = folder / "crash_shim.so"
    command = [compiler(), "-shared", "-fPIC", "-O2", "-o", str(library), str(HERE / "crash_shim.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


class Control:
    """The shared file by which the shim is told what to do, and tells what it saw.

    Args:
        path: the file; it is made.
        folder: calls below it count.
    """

    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        with open(path, "wb") as file:
            file.truncate(HEADER.size + CALL_BYTES * MOST_CALLS)
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def reset(self, mode: str, n: int) -> None:
        """Sets the counter to 0, and the disturbance of the n-th call."""
        self._map[: HEADER.size] = HEADER.pack(0, n, MODES.index(mode), 0, os.fsencode(self.folder))

    def calls(self) -> list[str]:
        """What was called since `reset`, as "write a.txt" or "rename a.txt <- .a.txt.new"."""
        count = min(HEADER.unpack(self._map[: HEADER.size])[0], MOST_CALLS)
        starts = (HEADER.size + CALL_BYTES * i for i in range(count))
        entries = (self._map[start : start + CALL_BYTES] for start in starts)
        return [entry.split(b"\0", 1)[0].decode("utf-8", "replace") for entry in entries]

    def fired(self) -> bool:
        """Whether a call was disturbed since `reset`."""
        return bool(HEADER.unpack(self._map[: HEADER.size])[3])


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        status: exit status; negative: killed by that signal; None: stopped after STEP_LIMIT_S.
        stderr: what it wrote.
        value: what the step returned, as JSON.
        calls: the counted file calls.
        fired: whether one was disturbed.
    """

    status: int | None
    stderr: str
    value: Any = None
    calls: list[str] = field(default_factory=list)
    fired: bool = False


class Bench:
    """A scenario's warm process, and the folders that its steps work in.

    `world` holds what a step changes: its outputs and TMPDIR. It always has the same path, because products may hold
    paths. `inputs` is read only. HOME, where Paddle keeps a file of each process, lies beside them.

    Args:
        scenario: its name.
        folder: for everything.
        parameters: what the campaign tells the scenario, such as a server's address.
    """

    def __init__(self, scenario: str, folder: Path, parameters: dict[str, Any]):
        self.folder = folder.resolve()
        self.world, self.inputs = self.folder / "world", self.folder / "inputs"
        for folder in (self.inputs, self.folder / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        self.control = Control(self.folder / "control", self.world)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SOURCE), str(HERE), str(HERE.parent)]),
            "LD_PRELOAD": str(build_shim(self.folder)),
            "OMP_NUM_THREADS": "1",
            "HOME": str(self.folder / "home"),
            "no_proxy": "127.0.0.1",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "crash_zygote.py"), scenario, str(self.folder), json.dumps(parameters)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.stdin.close()
        self._process.wait()

    def run(self, act: str, mode: str = "watch", n: int = 0) -> Outcome:
        """Runs one act of the scenario in a fork, disturbed at its n-th call.

        Raises:
            RuntimeError: the warm process itself has ended.
        """
        self.control.reset(mode, n)
        request = {"act": act, "armed": act.startswith("command"), "limit_s": STEP_LIMIT_S}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the warm process has ended with status {self._process.wait()}")
        answer = json.loads(line)
        return Outcome(**answer, calls=self.control.calls(), fired=self.control.fired())

    def must(self, act: str) -> Outcome:
        """Runs one act undisturbed, which has to end well."""
        outcome = self.run(act)
        if outcome.status:
            raise RuntimeError(f"the undisturbed {act} ended with {outcome.status}: {outcome.stderr.strip()[-2000:]}")
        return outcome

    def set_world(self, source: Path | None) -> None:
        """Replaces the world by a copy of a folder, or by an empty one."""
        shutil.rmtree(self.world, ignore_errors=True)
        if source is not None:
            shutil.copytree(source, self.world, symlinks=True)
        for name in ("out", "tmp"):
            (self.world / name).mkdir(parents=True, exist_ok=True)

    def keep_world(self, name: str) -> Path:
        """Copies the world to a folder of that name beside it."""
        kept = self.folder / name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.world, kept, symlinks=True)
        return kept
