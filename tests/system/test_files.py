"""Files and folders are written whole or not at all, whenever the writer dies or the disk refuses."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenetext.errors import RunError
from scenetext.system import exchange, files, temporaries
from scenetext.system.files import replacing, replacing_folder, write_text, writing

HANG = """
import sys, time
from scenetext.system.files import replacing, replacing_folder
with {opened}(sys.argv[1]) as made:
    print("open", flush=True)
    time.sleep(60)
"""


def started(opened: str, path: Path) -> subprocess.Popen[str]:
    """A process that holds a temporary of `path`."""
    command = [sys.executable, "-c", HANG.format(opened=opened), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process had just started."""
    monkeypatch.setattr(temporaries, "_cleaned", set())


@pytest.mark.parametrize("opened", ["replacing", "replacing_folder"])
def test_leftovers_of_dead_processes_are_removed_and_those_of_living_ones_are_kept(
    opened: str, tmp_path: Path, next_start: None
) -> None:
    dead, living = started(opened, tmp_path / "dead"), started(opened, tmp_path / "living")
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert len(list(tmp_path.iterdir())) == 2
    try:
        write_text(tmp_path / "mine", "x")
        kept = {path.name.split(".")[1] or path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
        assert kept == {"living"} and (tmp_path / "mine").read_text() == "x"
    finally:
        living.kill()
        living.wait()


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked"])
def test_a_new_folder_that_another_process_takes_for_a_leftover_is_made_again(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, name = (temporaries.tempfile, "mkdtemp") if moment == "before it is opened" else (temporaries.os, "open")
    original, calls = getattr(target, name), []

    def disturbed(*arguments: object, **options: object) -> object:
        result = original(*arguments, **options)
        calls.append(result)
        if len(calls) == 1:
            for folder in tmp_path.glob(f".*{temporaries.SUFFIX}"):
                folder.rmdir()
        return result

    monkeypatch.setattr(target, name, disturbed)
    held, folder = temporaries.new_folder(tmp_path / "out")
    temporaries.let_go(held)
    assert len(calls) == 2 and folder.is_dir()


def test_hidden_files_of_the_user_are_not_leftovers(tmp_path: Path, next_start: None) -> None:
    names = {".hidden", ".a.new", "b.scenetext-new"}
    for name in names:
        (tmp_path / name).touch()
    write_text(tmp_path / "c", "x")
    assert {path.name for path in tmp_path.iterdir()} == names | {"c"}


def fill(path: Path, text: str) -> None:
    with replacing_folder(path) as folder:
        (folder / "a").write_text(text)


@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_folder_takes_the_place_of_the_former_one(
    tmp_path: Path, in_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_kernel:
        monkeypatch.setattr(exchange, "_exchange_in_kernel", lambda first, second: False)
    for text in ("old", "new"):
        fill(tmp_path / "out", text)
    assert (tmp_path / "out" / "a").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_a_failure_within_a_new_folder_names_the_folder_and_not_its_temporary(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"/out/a could not be written"), replacing_folder(tmp_path / "out") as made:
        raise RunError(f"{made / 'a'} could not be written (No space left on device): make room there.")


@pytest.mark.parametrize("failing", ["_exchange_in_kernel", "second rename"])
def test_a_disk_that_refuses_the_exchange_leaves_the_former_folder(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "out", "old")
    rename, calls = os.replace, []

    def refuse(first: Path, second: Path) -> None:
        calls.append(second)
        if failing == "_exchange_in_kernel" or len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error", os.fspath(second))
        rename(first, second)

    if failing == "second rename":
        monkeypatch.setattr(exchange, "_exchange_in_kernel", lambda first, second: False)
        monkeypatch.setattr(exchange.os, "replace", refuse)
    else:
        monkeypatch.setattr(exchange, "_exchange_in_kernel", refuse)
    with pytest.raises(RunError, match=r"out could not be written \(Input/output error\): check the disk"):
        fill(tmp_path / "out", "new")
    assert (tmp_path / "out" / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_sentence_with_the_path_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    monkeypatch.setattr(files, "_flush", lambda _: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
    with pytest.raises(RunError) as error:
        write_text(path, "new")
    assert str(error.value) == (
        f"{path} could not be written (No space left on device): make room there, or name another place."
    )
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (None, True),
        ("{folder}/a.txt", True),
        ("{folder}/a.txt.part", True),
        ("{folder}/.a.txt.abc.scenetext-new/deep/b", True),
        ("{folder}", True),
        ("{folder}/b.txt", False),
        ("/somewhere/else", False),
    ],
)
def test_only_failures_of_the_written_path_are_said_to_be_failures_of_it(
    tmp_path: Path, name: str | None, own: bool
) -> None:
    error = OSError(errno.EIO, "Input/output error", name and name.format(folder=tmp_path))
    with pytest.raises(RunError if own else OSError) as raised, writing(tmp_path / "a.txt"):
        raise error
    assert own or raised.value is error


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("字" * 85)
    with replacing(path, "w") as file:
        file.write("x")
    assert path.read_text() == "x"
