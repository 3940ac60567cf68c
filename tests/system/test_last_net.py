"""Whatever ends a command is one sentence and an exit status; an unforeseen error leaves its traceback in a file."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scenetext.errors import InputError, RunError
from scenetext.system.download import DownloadError
from scenetext.system.last_net import LastNet, keep_traceback


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended_by(error: BaseException) -> int:
    with LastNet("scenetext verb") as net:
        raise error
    return net.status


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (InputError("a.csv:3: no label."), 2, "a.csv:3: no label."),
        (RunError("two\nlines."), 1, "two lines."),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C."),
        (KeyboardInterrupt("resume with x"), 130, "stopped by Ctrl-C; resume with x."),
        (FileNotFoundError(2, "No such file or directory", "a/b"), 1, "a/b: No such file or directory."),
        (
            OSError(errno.ENOSPC, "No space left on device", "a/b"), 1,
            "a/b: No space left on device (the disk is full: make room and start again).",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", b"a/b"), 1,
            "a/b: Read-only file system (nothing can be written there: name another place).",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "a/b"), 1,
            "a/b: Permission denied (this user has no right to: change the rights, or name another place).",
        ),
        (
            ModuleNotFoundError("No module named 'paddle'", name="paddle.base"), 1,
            f"The package 'paddle' is missing from {sys.prefix}: `make install` or pip installs it.",
        ),
    ],
)  # fmt: skip
def test_a_foreseen_end_is_its_sentence_and_leaves_no_file(folder, capsys, error, status, sentence) -> None:
    assert ended_by(error) == status
    assert capsys.readouterr().err == f"scenetext verb: {sentence}\n"
    assert os.listdir(folder) == []


def recursion() -> None:
    recursion()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("x"), "KeyError: 'x'; this is a fault of scenetext"),
        (AssertionError(), "AssertionError: no message"),
        (ValueError("long " * 99), r"ValueError: long .*\.\.\.; this"),
        (OSError(errno.EIO, "Input/output error"), "OSError: .*Input/output error"),  # it names no file
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "BrokenPipeError: .*Broken pipe"),  # not of the output
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "UnicodeEncodeError: "),
        (MemoryError("Unable to allocate 7 GiB"), r"The memory is full \(Unable to allocate 7 GiB\)"),
        (MemoryError(), "The memory is full: close"),
        (ModuleNotFoundError("No module named 'scenetext.x'", name="scenetext.x"), "ModuleNotFoundError"),
    ],
)
def test_an_unforeseen_error_is_one_sentence_and_its_traceback_is_in_the_file_that_it_names(
    folder, capsys, error, told
) -> None:
    assert ended_by(error) == 1
    sentence = capsys.readouterr().err
    (file,) = folder.iterdir()
    assert sentence.startswith("scenetext verb: ") and sentence.count("\n") == 1 and "Traceback" not in sentence
    assert re.search(told, sentence) and file.name in sentence
    text = file.read_text(encoding="utf-8")
    assert "raise error" in text and type(error).__name__ in text and "Python 3." in text


def test_endless_recursion_is_caught(folder, capsys) -> None:
    with LastNet("scenetext verb") as net:
        recursion()
    assert net.status == 1 and "RecursionError" in capsys.readouterr().err


def test_two_tracebacks_of_one_second_have_two_files(folder) -> None:
    names = {keep_traceback(KeyError(number)) for number in range(3)}
    assert names == {str(path) for path in folder.iterdir()} and len(names) == 3


def test_where_the_current_folder_cannot_be_written_the_temporary_one_has_the_file(folder, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder / "temp"))
    monkeypatch.setattr(os, "getcwd", lambda: str(folder / "absent"))
    assert "(no file could be written, " in keep_traceback(KeyError(1))
    (folder / "temp").mkdir()
    assert Path(keep_traceback(KeyError(1))).parent == folder / "temp"
    monkeypatch.setattr(os, "getcwd", lambda: os.stat(folder / "removed"))
    assert Path(keep_traceback(KeyError(1))).parent == folder / "temp"


def test_a_thread_that_dies_says_so_in_one_sentence(folder, capsys) -> None:
    with LastNet("scenetext verb") as net:
        thread = threading.Thread(target=lambda: {}["x"])
        thread.start()
        thread.join()
    told = capsys.readouterr().err
    assert told.startswith("scenetext verb: a thread ended: KeyError: 'x'") and told.count("\n") == 1
    assert net.status == 0 and len(os.listdir(folder)) == 1


def test_the_variable_shows_the_traceback(folder, monkeypatch) -> None:
    monkeypatch.setenv("SCENETEXT_TRACEBACK", "1")
    with pytest.raises(InputError):
        ended_by(InputError("x"))


@pytest.mark.parametrize("kind", [InputError, RunError, DownloadError])
def test_a_notebook_shows_the_sentence_of_a_foreseen_error_or_its_traceback_if_that_is_wanted(
    monkeypatch, kind
) -> None:
    try:
        raise kind("a sentence.")
    except kind as error:
        assert error._render_traceback_() == [f"{kind.__name__}: a sentence."]
        monkeypatch.setenv("SCENETEXT_TRACEBACK", "1")
        assert "raise kind" in "".join(error._render_traceback_())


def shell(code: str, redirection: str, folder: Path, unbuffered: str) -> subprocess.CompletedProcess[str]:
    program = folder / "program.py"
    text = "import sys\nfrom scenetext.system.last_net import LastNet\nwith LastNet('verb') as net:\n"
    program.write_text(f"{text}    {code}\nsys.exit(net.status)\n", encoding="utf-8")
    command = f"set -o pipefail; {sys.executable} {program.name} {redirection}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": unbuffered,
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("code", "redirection", "status", "told"),
    [
        ("print('x')", "> /dev/full", 1, "verb: the output cannot be written: No space left on device"),
        ("print('x' * 99999)", "> /dev/full", 1, "verb: the output cannot be written: No space left on device"),
        ("print('x'); sys.exit(0)", "> /dev/full", 1, "verb: the output cannot be written"),
        ("print('x' * 999999)", "| head -c 1", 1, ""),
        ("[print(k) for k in range(99999)]", "| head -n 1", 1, ""),
        ("print('x')", ">&-", 0, ""),
        ("raise KeyError(1)", ">&- 2>&-", 1, ""),
        ("raise KeyError(1)", "2> /dev/full", 1, ""),
        ("print('x'); {}['y']", "> /dev/full", 1, "verb: "),  # of the two, the one that came first
        ("print('\\udcff 招')", "", 0, ""),  # a file name that is not UTF-8
    ],
)
def test_an_output_that_cannot_be_written_is_no_traceback(folder, code, redirection, status, told, unbuffered) -> None:
    done = shell(code, redirection, folder, unbuffered)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(told) and bool(done.stderr) == bool(told) and done.stderr.count("\n") <= 1


def test_a_terminal_that_lacks_a_character_ends_no_work(folder) -> None:
    program = "import sys\nfrom scenetext.system.last_net import LastNet\nwith LastNet('verb'): print('招a')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=600)
    assert (done.stdout, done.stderr) == (b"\\u62dba\n", b"")
