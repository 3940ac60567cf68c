"""Processes that make one product together: the same bytes whoever makes what, whoever dies, and bounded waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scenetext.errors import InputError, RunError
from scenetext.system import shared_job
from scenetext.system.launched import Process, this_process
from scenetext.system.shared_job import SharedJob

ITEMS, PIECES = range(23), 12
WHOLE = "".join(f"{item}\n" for item in ITEMS)
KILLED = """
import os, sys
from pathlib import Path
from scenetext.system.launched import Process
from scenetext.system.shared_job import SharedJob

def lines(items):
    if 4 in items:
        os.kill(os.getpid(), 9)
    return map(str, items)

with SharedJob(Path(sys.argv[1]), {}, Process(0, 2), range(23), 2) as job:
    job.make(lines, print)
"""


def lines_of(items: Sequence[int]) -> Iterator[str]:
    return map(str, items)


def work(out: Path, rank: int = 0, count: int = 1, lines=lines_of, origin=None) -> list[int]:
    """One process's work; returns the items that it made."""
    made: list[int] = []

    def noting(items: Sequence[int]) -> Iterator[str]:
        made.extend(items)
        return lines(items)

    with SharedJob(out, origin or {}, Process(rank, count), ITEMS, 2) as job:
        job.make(noting, lambda count: None)
        if rank == 0:
            job.put_together(lambda index, line: line == str(index), lambda: None)
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_job, "PATIENCE_S", 0.3)
    monkeypatch.setattr(shared_job, "GATHERING_S", 0.3)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30])
def test_any_number_of_processes_makes_the_same_and_leaves_nothing_else(count: int, tmp_path: Path) -> None:
    out, begun = tmp_path / "out.txt", threading.Barrier(count)

    def together(rank: int) -> list[int]:
        waits = [begun.wait] if count <= PIECES else []

        def lines(items: Sequence[int]) -> Iterator[str]:
            if waits:
                waits.pop()(10)  # so that all have a part in it
            return lines_of(items)

        return work(out, rank, count, lines)

    with ThreadPoolExecutor(count) as pool:
        made = list(pool.map(together, range(count)))
    assert out.read_text() == WHOLE and [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert {item for items in made for item in items} == set(ITEMS)
    if count <= PIECES:
        assert len({items[0] for items in made}) == count  # each began with its own share


def test_a_killed_process_loses_its_unfinished_piece_alone(tmp_path: Path, impatient: None) -> None:
    out = tmp_path / "out.txt"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out)], env=environment, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL and not out.exists()
    assert work(out) == [*range(4, 23)]  # the same job, by another number of processes
    assert out.read_text() == WHOLE and [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_processes_that_never_come_are_replaced_and_named(
    tmp_path: Path, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(work(tmp_path / "out.txt", 0, 3)) == [*ITEMS]
    assert (tmp_path / "out.txt").read_text() == WHOLE
    assert "2 of 3 processes did not come (PADDLE_TRAINER_ID 1, 2)" in capsys.readouterr().err


def test_a_process_that_comes_after_the_end_is_told_so(tmp_path: Path, impatient: None) -> None:
    out = tmp_path / "out.txt"
    work(out, 0, 2)
    with pytest.raises(RunError, match="It is there already: if process 0 has ended, nothing is left to do"):
        work(out, 1, 2)
    assert out.read_text() == WHOLE


def test_the_others_wait_for_the_first_process_for_a_bounded_time(tmp_path: Path, impatient: None) -> None:
    out = tmp_path / "out.txt"
    with pytest.raises(RunError, match=r"Process 0 of 2 has not begun .*out\.txt within 0\.3 s: start it"):
        work(out, 1, 2)

    def stop(items: Sequence[int]) -> Iterator[str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(out, 0, 2, stop, {"model": "a"})
    with pytest.raises(RunError, match="but with another model: start it"):
        work(out, 1, 2, origin={"model": "b"})
    with pytest.raises(RunError, match=r"Process 0 of 2 has not put .*out\.txt together"):
        work(out, 1, 2, origin={"model": "a"})
    assert work(out, 0, 2, stop, {"model": "a"}) == []  # all pieces are there
    assert out.read_text() == WHOLE


def test_pieces_of_an_older_job_never_enter_another_one(tmp_path: Path, impatient: None) -> None:
    out, begun, go = tmp_path / "out.txt", threading.Event(), threading.Event()

    def stop(items: Sequence[int]) -> Iterator[str]:
        raise KeyboardInterrupt

    def slow(items: Sequence[int]) -> Iterator[str]:
        begun.set()
        go.wait(10)
        return ("old" for _ in items)

    with pytest.raises(KeyboardInterrupt):
        work(out, 0, 2, stop, {"model": "old"})
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work, out, 1, 2, slow, {"model": "old"})
        assert begun.wait(10)

        def overtaken(items: Sequence[int]) -> Iterator[str]:
            go.set()
            return lines_of(items)

        work(out, 0, 2, overtaken, {"model": "new"})
    assert out.read_text() == WHOLE


def test_a_second_job_is_refused(tmp_path: Path) -> None:
    with (
        SharedJob(tmp_path / "out.txt", {}, Process(), ITEMS, 2) as job,
        pytest.raises(RunError, match="Another process is writing"),
    ):
        job.make(lambda items: work(tmp_path / "out.txt"), print)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, Process(0, 1, 1)),
        ({"TRAINER_ID": "3", "TRAINERS_NUM": "4", "LOCAL_SIZE": "2"}, Process(3, 4, 2)),
        ({"TRAINER_ID": "", "TRAINERS_NUM": " 2 "}, Process(0, 2, 1)),
        ({"TRAINER_ID": "4", "TRAINERS_NUM": "4"}, "PADDLE_TRAINER_ID is 4, but PADDLE_TRAINERS_NUM is 4"),
        ({"TRAINER_ID": "-1", "TRAINERS_NUM": "4"}, "PADDLE_TRAINER_ID is '-1'"),
        ({"TRAINERS_NUM": "two"}, "PADDLE_TRAINERS_NUM is 'two'"),
        ({"TRAINERS_NUM": "0"}, "PADDLE_TRAINERS_NUM is '0'"),
    ],
)
def test_the_environment_says_which_process_this_is(variables: dict[str, str], told: Process | str) -> None:
    environment = {f"PADDLE_{name}": value for name, value in variables.items()}
    if isinstance(told, Process):
        assert this_process(environment) == told
    else:
        with pytest.raises(InputError, match=told):
            this_process(environment)
