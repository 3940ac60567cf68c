"""The command: its verbs, exit statuses and one-sentence errors."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = (
    *("prepare", "train", "evaluate", "score", "compare", "export", "predict", "read", "submit"),
    *("report", "runs", "run", "demo", "bench"),
)


def scenetext(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenetext", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)


def test_help_names_every_verb_and_comes_at_once() -> None:
    seconds = []
    for _ in range(3):
        before = children_seconds()
        done = scenetext("--help")
        seconds.append(children_seconds() - before)
    assert done.returncode == 0
    assert [verb for verb in VERBS if f"\n    {verb} " not in done.stdout] == []
    assert min(seconds) < 0.3


def children_seconds() -> float:
    """Processor time of finished child processes: unlike the clock, no matter of what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = scenetext(verb, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: scenetext {verb}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "VERB"),
        (["trian"], "invalid choice: 'trian'"),
        (["train"], "-c/--config"),
        (["train", "-c", "none.yml"], "none.yml does not exist"),
        (["train", "-c", "bad.yml"], "bad.yml:2: Global.epoch_nmu is no known setting: the nearest is epoch_num"),
        (["train", "-c", "good.yml", "-o", "Global.seed=1", "Global.x"], "-o Global.x"),
        (["train", "-c", "good.yml", "-o", "Global.seed=1", "-o", "Global.x"], "-o Global.x"),
        (["train", "--conf", "good.yml"], "-c/--config"),  # no guessing at abbreviations
        (["prepare", "--raw", "none", "--out", "out"], "none"),
        (["prepare", "--raw", ".", "--out", "out", "--val", "half"], "--val half"),
        (["evaluate", "--labels", "l", "--images", "i", "--out", "o"], "--weights"),
        (["evaluate", "--labels", "l", "--images", "i", "--out", "o", "--weights", "w"], "-c CONFIG"),
        (["export", "-c", "good.yml", "--weights", "w", "--out", "o", "--format", "tflite"], "pdmodel"),
        (["export", "-c", "good.yml", "--weights", "w", "--out", "o", "--max-mb", "nan"], "--max-mb"),
        (["export", "-c", "good.yml", "--weights", "w", "--out", "o", "--max-mb", "-1"], "--max-mb"),
        (["predict", "--model", "none", "--images", "i", "--out", "o", "--batch-size", "many"], "--batch-size"),
        (["submit", "--out", "o", "--model", "m"], "--model and --images, or --leaderboard"),
        (["report", "none"], "There is no run none"),
        (["runs"], "runs does not exist"),
        (["read", "none.jpg", "--detector", "d", "--model", "m", "--out", "o"], "none.jpg does not exist"),
        (["read", "p", "--detector", "d", "--model", "m", "--out", "o", "--labels", "words.txt"], "words.txt:1"),
        (["run", "-p", "epochs"], "NAME=VALUE"),
    ],
)
def test_wrong_usage_and_wrong_input_are_one_sentence_and_status_2(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "good.yml").write_text("Global:\n  epoch_num: 1\n")
    (tmp_path / "words.txt").write_text("1.jpg\tword\n")
    (tmp_path / "bad.yml").write_text("Global:\n  epoch_nmu: 1\n")
    done = scenetext(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and done.stderr.startswith("scenetext") and done.stderr.count("\n") == 1, done.stderr


def test_the_choices_offered_are_those_that_the_library_knows() -> None:
    from scenetext.export.choices import FORMATS
    from scenetext.export.trace import PROGRAM_SUFFIX
    from scenetext.predict.choices import ENGINE_NAMES
    from scenetext.predict.engines import ENGINES

    assert (tuple(ENGINES), (*PROGRAM_SUFFIX, "onnx")) == (ENGINE_NAMES, FORMATS)


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m scenetext --help | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600)
    assert done.stdout.startswith("usage:") and done.stderr == ""


def test_an_error_that_nobody_foresaw_is_one_sentence_that_names_the_file_of_its_traceback(tmp_path: Path) -> None:
    program = (
        "import sys, scenetext.cli as cli, scenetext.prepare.preparation as preparation\n"
        "def fail(*_, **__): raise KeyError('x')\n"
        "preparation.prepare = fail\n"
        "sys.exit(cli.main(['prepare', '--raw', '.', '--out', 'o']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    (file,) = tmp_path.glob("scenetext-error-*.txt")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("scenetext prepare: KeyError: 'x'; this is a fault") and file.name in done.stderr
    assert "in fail" in file.read_text(encoding="utf-8")


def test_the_library_names_what_it_lacks() -> None:
    import scenetext as package

    with pytest.raises(AttributeError, match="build_modle"):
        package.build_modle  # noqa: B018
    assert "build_model" in dir(package)


def test_on_a_machine_without_libgl_the_sentence_names_the_opencv_that_needs_no_screen(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file: No such file')\n")
    path = os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    command = [sys.executable, "-m", "scenetext", "prepare", "--raw", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("scenetext prepare: libGL.so.1, which OpenCV") and "headless" in done.stderr
