"""Messages of Paddle and OpenCV that a user can do nothing about stay out of the output."""

from __future__ import annotations

import os
import subprocess
import sys

QUIET = "from scenetext.system.process import prepare_process, silence_noise\nsilence_noise()\nprepare_process()\n"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code], env={**given, **environment}, capture_output=True, text=True, check=True
    )


def test_paddle_with_two_threads_is_imported_without_its_message_and_keeps_the_threads() -> None:
    done = run(f"{QUIET}import os, paddle; print(os.environ['OMP_NUM_THREADS'])", OMP_NUM_THREADS="2")
    assert (done.stdout, "WISELY" in done.stderr, "WARNING" in done.stderr) == ("2\n", False, False)


def test_in_a_notebook_an_error_cancels_the_cells_that_arrive_within_a_second() -> None:
    code = (
        "from ipykernel.inprocess.ipkernel import InProcessKernel; from IPython import get_ipython\n"
        "from scenetext.runs import enter_project_root; kernel = InProcessKernel(); enter_project_root()\n"
        "print(get_ipython().kernel is kernel, kernel.stop_on_error_timeout)"
    )
    assert run(code).stdout.splitlines()[-1] == "True 1.0"


def test_what_else_paddle_writes_while_it_is_imported_is_passed_on(tmp_path) -> None:
    package = tmp_path / "paddle"
    (package / "base").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import base")
    message = "PLEASE USE OMP_NUM_THREADS WISELY.\\nno CUDA driver\\n"
    (package / "base" / "__init__.py").write_text(f"import sys; sys.stderr.write('{message}')")
    done = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{QUIET}import paddle")
    assert done.stderr == "no CUDA driver\n"


def test_a_broken_picture_leaves_opencv_silent() -> None:
    bmp = "import cv2, numpy as np; data = cv2.imencode('.bmp', np.zeros((9, 9, 3), np.uint8))[1][:60]\n"
    done = run(f"{QUIET}{bmp}print(cv2.imdecode(data, 1))")
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_own_warnings_are_sentences_and_others_show_their_code(tmp_path) -> None:
    (tmp_path / "d.txt").write_text("a\n\nb\n")
    read = f"from scenetext.text.charset import Charset; Charset.from_file({str(tmp_path / 'd.txt')!r})\n"
    done = run(f"{QUIET}import warnings\nwarnings.warn('odd')\n{read}")
    other, own = done.stderr.splitlines()
    assert other.endswith("UserWarning: odd")
    assert own.startswith(f"note: The dictionary {tmp_path / 'd.txt'} has odd lines: 1 blank (line 2). Each stays")
