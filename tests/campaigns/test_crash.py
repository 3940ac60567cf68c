"""The crash campaign: its shim does what it says, it sees a careless job, and a slice of it finds no fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import crash
import pytest
from crash_judging import last_line, message_faults, state_of, status_faults, unsynced
from crash_points import Control, Outcome, build_shim, unusable

pytestmark = pytest.mark.skipif(unusable() is not None, reason=unusable() or "")

SCRIPT = """
import os, pathlib
world = pathlib.Path("world")
pathlib.Path("elsewhere.txt").write_text("does not count")
with open(world / "a.txt", "wb", buffering=0) as file:
    print(file.write(b"0123456789"))
    print(file.write(b"0123456789"))
os.rename(world / "a.txt", world / "b.txt")
(world / "b.txt").read_text()
os.chdir(world)
os.mkdir("c")
os.unlink("b.txt")
"""
CALLS = ["open-truncating a.txt", "write a.txt", "write a.txt", "rename b.txt <- a.txt", "mkdir c", "unlink b.txt"]


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return build_shim(tmp_path_factory.mktemp("shim"))


def run(shim: Path, folder: Path, mode: str, n: int) -> tuple[subprocess.CompletedProcess[str], Control]:
    (folder / "world").mkdir()
    control = Control(folder / "control", folder / "world")
    control.reset(mode, n)
    environment = {**os.environ, "LD_PRELOAD": str(shim), "CRASH_SHIM_CONTROL": str(control.path)}
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True), control


def test_calls_that_change_the_chosen_folder_are_counted_and_no_others(shim, tmp_path):
    done, control = run(shim, tmp_path, "watch", 0)
    assert (done.returncode, control.calls(), control.fired()) == (0, CALLS, False)


@pytest.mark.parametrize(
    ("mode", "n", "status", "last_words", "left"),
    [
        ("kill", 3, -signal.SIGKILL, "", {"a.txt": 10}),  # before the call
        ("torn", 3, -signal.SIGKILL, "", {"a.txt": 15}),  # after half of it
        ("torn", 4, 0, "", {"c": None}),  # what is no write is not torn
        ("eio", 4, 1, "OSError: [Errno 5] Input/output error: 'world/a.txt' -> 'world/b.txt'", {"a.txt": 20}),
        ("eio", 6, 1, "OSError: [Errno 5] Input/output error: 'b.txt'", {"b.txt": 20, "c": None}),
        ("enospc", 3, 1, "OSError: [Errno 28] No space left on device: 'c'", {"b.txt": 15}),  # and the disk stays full
        ("erofs", 3, 1, "OSError: [Errno 30] Read-only file system", {"a.txt": 10}),
        ("enospc", 1, 1, "OSError: [Errno 28] No space left on device: 'world/a.txt'", {}),
    ],
)
def test_the_nth_call_is_disturbed(shim, tmp_path, mode, n, status, last_words, left):
    done, control = run(shim, tmp_path, mode, n)
    assert done.returncode == status
    assert last_line(done.stderr) == last_words
    assert control.fired() == (status != 0)
    sizes = {path.name: None if path.is_dir() else path.stat().st_size for path in (tmp_path / "world").iterdir()}
    assert sizes == left


OLD, NEW = {"a": "1", "report": "1", "table": "1"}, {"a": "2", "report": "2", "table": "2"}


@pytest.mark.parametrize(
    ("product", "state"),
    [
        (OLD, "old"),
        (NEW, "new"),
        ({**NEW, "table": "1"}, "new"),  # the table comes last
        ({**OLD, "table": "2"}, None),  # and never first
        ({"a": "2", "table": "2"}, "new"),
        ({"a": "1", "table": "1"}, "old"),
        ({**NEW, "report": "1"}, None),
        ({**NEW, "a": "1"}, None),
        ({**NEW, "b": "2"}, None),
        ({}, None),
    ],
)
def test_a_product_is_old_or_new_or_neither(product, state):
    assert state_of(product, OLD, NEW, late=("table",), absent=("report",)) == state


FULL = "scenetext careless: /w/out/pair/a.txt cannot be written: the disk is full; the former files are unchanged."


@pytest.mark.parametrize(
    ("stderr", "state", "fault"),
    [
        (f"checking: 100%\r\n{FULL}\n", "old", None),
        (FULL, "mixed", "says that the former one is there, but the product is mixed"),
        ("scenetext careless: No space left on device.", "old", "names no file"),
        ("No space left on device (/w/out/pair).", "old", "no sentence of its own"),
        ("Traceback (most recent call last):\n  File ...\nOSError: /w/out/pair", "old", "ends in a traceback: OSError"),
    ],
)
def test_a_message_is_a_sentence_that_names_a_file_and_claims_what_is_true(stderr, state, fault):
    scenario = crash.SELF_TESTS["careless"](Path("/in"), Path("/w"), {})
    faults = message_faults(Outcome(1, stderr), state, scenario)
    assert [fault in found for found in faults] == ([True] if fault else [])


@pytest.mark.parametrize(
    ("status", "mode", "state", "fault"),
    [
        (-9, "kill", "old", None),
        (-9, "eio", "old", "dies by signal 9"),
        (-11, "kill", "old", "dies by signal 11"),
        (0, "eio", "new", None),
        (0, "eio", "old", "ends with 0, but the product is old"),
        (2, "enospc", "old", "ends with 2"),
        (None, "eio", "old", "hangs"),
    ],
)
def test_an_exit_status_says_what_happened(status, mode, state, fault):
    faults = status_faults(Outcome(status, ""), state, mode)
    assert [fault in found for found in faults] == ([True] if fault else [])


def test_what_a_reset_may_leave_empty_is_told_from_the_calls():
    written = ["open-truncating .a", "write .a", "fsync .a", "rename a <- .a", "write .b", "rename b <- .b"]
    assert unsynced(
        [*written, "fsync .c", "write .c", "rename c <- .c", "mkdir .d", "write .d/e", "rename d <- .d"]
    ) == [
        *("b", "c"),
    ]


def test_points_are_spread_over_the_changes_in_a_row_of_calls():
    calls = ["open a", *["write a"] * 50, "fsync a", "rename b <- a"]
    assert crash.spread(calls, 10) == [1, 2, 51, 52, 53]
    assert crash.spread(calls, 3) == [1, 51, 53]
    assert crash.spread(calls, 1) == [1]


def test_a_careless_job_is_seen_through(tmp_path):
    """Its calls: mkdir, then for each of two files open, write, open, write, unlink."""
    with crash.Campaign("careless", tmp_path).opened() as campaign:
        seen = {(mode, n): campaign.point(mode, n).faults for mode, n in [("kill", 5), ("kill", 9), ("eio", 9)]}
        complete = campaign.point("kill", 11)
    cut, between, failed = map(" ".join, seen.values())
    assert "the product is mixed" in cut  # a.txt is empty
    assert "the product is mixed" in between and "is not the undisturbed one's" in between
    assert "remains: out/pair/.b.txt.new" in between
    assert "says that the former one is there" in failed and "names no file" in failed
    assert complete.state == "new" and "remains" in complete.faults[0]


SLICE = [("checkpoint", 5), ("prepare", 2), ("cache", 2), ("predict", 3), ("submit", 3), ("download", 4)]  # points


@pytest.mark.parametrize(("scenario", "points"), SLICE)
def test_no_crash_point_of_a_slice_leaves_a_fault(tmp_path, scenario, points):
    results = []
    with crash.Campaign(scenario, tmp_path).opened() as campaign:
        assert unsynced(campaign.undisturbed.calls) == []
        for n in campaign.numbers(points):
            results += [campaign.point(mode, n) for mode in crash.DISTURBING if campaign.applies(mode, n)]
    found = [result for result in results if result is not None]
    assert len(found) > 3 * points
    assert crash.fault_lines(found) == []
