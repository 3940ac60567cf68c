"""Jobs in a process that is kept open: each starts in a fresh state, and an error names the failure of the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.errors import InputError, RunError
from scenetext.system import subprocesses
from scenetext.system.subprocesses import JobProcess, run_module

WORKER = """
import os
from scenetext.errors import InputError
from scenetext.system import subprocesses

subprocesses.CAN_FORK &= "nofork" not in os.environ["GIVEN"]
count = 0

def do(job):
    global count
    count += 1
    if job.name == "wrong":
        raise ValueError(f"{job} is wrong")
    if job.name == "foreseen":
        raise InputError("no such picture.")
    if job.name == "killed":
        os.kill(os.getpid(), 9)
    print("said in between")
    job.write_text(f"{count} {os.environ['GIVEN']}", encoding="utf-8")

if __name__ == "__main__":
    subprocesses.serve_jobs(do)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that does jobs."""
    (tmp_path / "some_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "some_worker"


@pytest.mark.parametrize("given", ["fork", "nofork"])
def test_each_job_starts_as_if_it_were_the_first(
    given: str, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocesses, "CAN_FORK", subprocesses.CAN_FORK and given == "fork")
    jobs = [tmp_path / name for name in ("one", "另一个", "three")]
    with JobProcess(worker, {"GIVEN": given}) as process:
        for job in jobs:
            process.run(job)
            assert job.read_text(encoding="utf-8") == f"1 {given}"


@pytest.mark.parametrize(("job", "told"), [("wrong", "ValueError: .*wrong is wrong"), ("killed", "killed by signal 9")])
def test_a_job_that_fails_is_told_in_its_own_words(job: str, told: str, worker: str, tmp_path: Path) -> None:
    with JobProcess(worker, {"GIVEN": "x"}) as process:
        process.run(tmp_path / "right")
        with pytest.raises(RunError, match=f"python -m {worker} ended with status 1: {told}"):
            process.run(tmp_path / job)
        with pytest.raises(RunError, match=told):  # and again for every later job
            process.run(tmp_path / "right")


def test_the_traceback_of_an_unforeseen_error_is_in_the_file_that_is_named(worker: str, tmp_path: Path) -> None:
    with JobProcess(worker, {"GIVEN": "x"}) as process, pytest.raises(RunError) as error:
        process.run(tmp_path / "wrong")
    (file,) = tmp_path.glob("scenetext-error-*.txt")
    assert str(error.value).endswith(f"its traceback is in {file}.")
    assert 'raise ValueError(f"{job} is wrong")' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["fork", "nofork"])
def test_a_foreseen_error_of_a_job_is_raised_as_it_is(given: str, worker: str, tmp_path: Path) -> None:
    with JobProcess(worker, {"GIVEN": given}) as process, pytest.raises(InputError, match="^no such picture.$"):
        process.run(tmp_path / "foreseen")
    assert list(tmp_path.glob("scenetext-error-*")) == []


def test_a_module_that_does_not_even_start_is_told() -> None:
    with pytest.raises(RunError, match="No module named scenetext.nowhere"):
        run_module("scenetext.nowhere", [])
    with JobProcess("scenetext.nowhere", {}) as process, pytest.raises(RunError, match="No module named"):
        process.run(Path("job"))
