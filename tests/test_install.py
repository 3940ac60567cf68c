"""What `make install` decides and says, without installing anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ci_scripts import load_script


@pytest.fixture(scope="module")
def installer(root: Path) -> ModuleType:
    return load_script(root, "install")


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0), (2, 7, 18)])
def test_a_python_that_is_too_old_or_too_new_is_refused_with_the_wanted_ones(installer, capsys, version) -> None:
    with pytest.raises(SystemExit) as stopped:
        installer.check_python(version, "/opt/python")
    told = capsys.readouterr().err
    assert stopped.value.code == 2 and told.count("\n") == 1
    assert f"/opt/python is Python {version[0]}.{version[1]}" in told and "Python 3.10 to 3.13" in told


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 2), (3, 12, 1), (3, 13, 0)])
def test_every_python_from_3_10_to_3_13_is_taken(installer, version) -> None:
    installer.check_python(version, "python")


@pytest.mark.parametrize(
    ("installed", "kept"),
    [
        ({"numpy": "1.26.4"}, ""),
        ({"paddlepaddle": "3.0.0"}, "paddlepaddle"),
        ({"paddlepaddle-gpu": "3.2.2"}, "paddlepaddle-gpu"),  # AI Studio's
        ({"paddlepaddle-gpu": "3.3.0.post1"}, "paddlepaddle-gpu"),
    ],
)
def test_a_supported_paddle_that_is_installed_is_kept(installer, installed, kept) -> None:
    assert installer.kept_paddle(installed) == kept


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        ({"paddlepaddle": "2.6.2"}, "holds paddlepaddle 2.6.2, but scenetext needs Paddle 3.0 to 3.3"),
        ({"paddlepaddle-gpu": "3.4.0"}, "pip uninstall paddlepaddle-gpu"),
        ({"paddlepaddle": "3.1.1", "paddlepaddle-gpu": "3.1.1"}, "both"),
    ],
)
def test_another_paddle_is_named_and_not_replaced(installer, capsys, installed, told) -> None:
    with pytest.raises(SystemExit):
        installer.kept_paddle(installed)
    assert told in capsys.readouterr().err


def test_packages_that_get_another_version_are_named(installer) -> None:
    before = {"numpy": "1.26.4", "opencv-python": "4.8.1.78", "pandas": "2.3.3", "torch": "2.0"}
    after = {"numpy": "2.2.6", "opencv-python": "4.10.0.84", "pandas": "2.3.3", "torch": "2.0", "onnx": "1.17.0"}
    assert installer.replaced(before, after) == [
        "numpy 1.26.4 was replaced by 2.2.6",
        "opencv-python 4.8.1.78 was replaced by 4.10.0.84",
    ]


def test_without_libgl_the_opencv_that_needs_no_screen_takes_the_place_of_the_others(installer, tmp_path: Path) -> None:
    python, told = tmp_path / "python", tmp_path / "told"
    python.write_text(
        '#!/bin/sh\ncase "$2" in "import cv2") exit 1;; *importlib.metadata*) echo opencv-python-headless 4.10.0.84;; '
        f'*) echo "$@" >> {told};; esac\n'
    )
    python.chmod(0o755)
    installer.screenless_opencv(str(python), ".venv")
    assert "install -q --no-deps --force-reinstall opencv-python-headless==4.10.0.84" in told.read_text()
    installer.screenless_opencv(sys.executable, ".venv")  # OpenCV can be imported: nothing is installed


def test_the_lock_is_read_as_entries_with_their_hashes(installer) -> None:
    entries = installer.read_lock()
    assert {"numpy", "paddlepaddle", "opencv-python"} <= {name for name, _ in entries}
    assert all(len(lines) > 1 and "--hash=sha256:" in lines[1] for _, lines in entries)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying ... NewConnectionError(': Failed to establish a new connection: [Errno -2]')\n"
            "ERROR: No matching distribution found for numpy==2.3.5",
            "cannot be reached",
        ),
        ("ERROR: No matching distribution found for paddle2onnx==2.1.0", "has no paddle2onnx==2.1.0 for this Python"),
        (
            "ERROR: Could not find a version that satisfies the requirement big==1.0 (from versions: none)\n"
            "ERROR: No matching distribution found for big==1.0",  # pip's words for a server error or a login page, too
            "or does not answer as an index",
        ),
        (
            "ERROR: HTTP error 404 while getting http://m/f/big-1.0-py3-none-any.whl (from http://m/simple/big/)\n"
            "ERROR: Could not install requirement big==1.0 from http://m/f/big-1.0-py3-none-any.whl",
            "the package index answers 404 for big-1.0-py3-none-any.whl: try again later",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "differs from the one in"),
        ("ERROR: [Errno 13] Permission denied: '/usr/lib/x'", "may not be written"),
        ("/x/bin/python: No module named pip\n", ".venv/bin/python -m ensurepip"),  # as uv makes environments
        ("line one\nsomething unheard of.\n", "failed with: something unheard of"),
    ],
)
def test_a_failed_installation_is_one_sentence(installer, output, told) -> None:
    sentence = installer.reason(output, ".venv")
    assert told in sentence and "\n" not in sentence


def test_without_the_network_make_install_says_so(root: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('installer', {str(root / '.ci/install.py')!r})\n"
        "installer = importlib.util.module_from_spec(spec); spec.loader.exec_module(installer)\n"
        "address = 'http://127.0.0.1:9/simple'\n"  # nothing listens on the discard port
        "installer.run([sys.executable, '-m', 'pip', 'install', '--isolated', '-q', '--retries', '1', '-i', address,"
        "  '--target', sys.argv[1], 'lazy-loader==0.0.1'], '.venv')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "the package index cannot be reached" in done.stderr
