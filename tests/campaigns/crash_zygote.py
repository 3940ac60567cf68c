"""The warm process of a crash campaign, started by crash_points.py: `crash_zygote.py SCENARIO FOLDER PARAMETERS`.

It runs what `Scenario.warm` says, imports above all. Then it reads one request a line, runs each in a fork, and answers
with a line.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from crash_jobs import Scenario
from crash_scenarios import SCENARIOS, SELF_TESTS

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main(name: str, folder: str, parameters: str) -> None:
    """Serves requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one worker everywhere: calls come in one order
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a step leaves behind is reaped here
    scenario = (SCENARIOS | SELF_TESTS)[name](Path(folder) / "inputs", Path(folder) / "world", json.loads(parameters))
    scenario.warm()
    gc.collect()
    gc.freeze()  # so that no fork copies memory by collecting garbage
    for line in sys.stdin:
        print(json.dumps(_run(scenario, Path(folder), json.loads(line))), file=answers, flush=True)


def _run(scenario: Scenario, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    value = folder / "value.json"
    value.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _be_the_step(scenario, folder, request)
    status = _wait(child, request["limit_s"])
    stderr = (folder / "step.stderr").read_text(encoding="utf-8", errors="replace")
    found = json.loads(value.read_text(encoding="utf-8")) if value.is_file() else None
    return {"status": status, "stderr": stderr[-20_000:], "value": found}


def _wait(child: int, limit_s: float) -> int | None:
    """The exit status of a step, whose own helper processes end with it; None if it took too long."""
    handle = os.pidfd_open(child)
    ended = select.select([handle], [], [], limit_s)[0]
    os.close(handle)
    if not ended:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.killpg(child, signal.SIGKILL)
        while True:
            os.waitpid(-child, 0)
    except (ProcessLookupError, ChildProcessError):
        return status if ended else None


def _be_the_step(scenario: Scenario, folder: Path, request: dict[str, Any]) -> None:
    """Runs one act; never returns."""
    status = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "step.stdout"), (2, "step.stderr")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
        world = folder / "world"
        os.environ["TMPDIR"] = str(world / "tmp")
        tempfile.tempdir = None
        os.chdir(world)
        if request["armed"]:
            control = str(folder / "control")
            os.environ["CRASH_SHIM_CONTROL"] = control
            if ctypes.CDLL(None).crash_arm(control.encode()):
                raise RuntimeError("the shim is not preloaded")
        result = getattr(scenario, request["act"])()
        status = result if isinstance(result, int) else 0
        if not isinstance(result, int):
            (folder / "value.json").write_text(json.dumps(result), encoding="utf-8")
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
