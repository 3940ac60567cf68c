"""One process at a time: threads and processes take turns, and no lock file is left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from scenetext.errors import RunError
from scenetext.system.locks import one_process, only_writer

TURNS = 40
WORKER = """
import os, sys
from pathlib import Path
from scenetext.system.locks import one_process

path = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with one_process(path):
        os.close(os.open(path.with_name("inside"), os.O_CREAT | os.O_EXCL))  # fails while another process is inside
        turns = int(path.read_text()) if path.exists() else 0
        path.write_text(str(turns + 1))
        path.with_name("inside").unlink()
"""


def test_one_maker_at_a_time_and_the_next_when_one_fails(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def make(number: int) -> None:
        time.sleep(0.004 * number)
        with suppress(ZeroDivisionError), one_process(tmp_path / "made"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            inside[0] -= 1
            raise ZeroDivisionError  # it is not made, so all of them try

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(make, range(12)))
    assert most == [1] and list(tmp_path.iterdir()) == []


def test_processes_take_turns_although_each_removes_the_lock_file(tmp_path: Path) -> None:
    run = [sys.executable, "-c", WORKER, str(tmp_path / "turns"), str(TURNS)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen(run, env=environment) for _ in range(4)]
    assert [process.wait(100) for process in started] == [0] * 4
    assert (tmp_path / "turns").read_text() == str(4 * TURNS)
    assert [path.name for path in tmp_path.iterdir()] == ["turns"]


def test_a_lock_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    killed = (
        "import os, sys; from pathlib import Path; from scenetext.system.locks import one_process\n"
        "with one_process(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "made")], env=environment, timeout=600)
    assert [path.name for path in tmp_path.iterdir()] == [".made.lock"]
    with one_process(tmp_path / "made"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_at_once_and_the_next_one_is_not(tmp_path):
    target = tmp_path / "run"
    refused = pytest.raises(RunError, match=f"Another process is writing {re.escape(str(target))} now")
    with only_writer(target), refused, only_writer(target):
        pass
    with only_writer(target):
        pass
    assert not list(tmp_path.iterdir())
