"""The wheel is complete: dictionaries, configurations and notebooks, used from an empty folder outside a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import scenetext
from scenetext.errors import InputError
from scenetext.workflow.course import copy_notebooks

COPIED = (
    "src",
    "configs",
    "notebooks",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "NOTICE.md",
)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout gets no build/."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        if (root / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
            shutil.copytree(root / name, copy / name, ignore=ignored)
        else:
            shutil.copy(root / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = (copy / "out").glob("scenetext-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an installation adds to `sys.path`."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def in_empty_folder(folder: Path, installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_the_wheel_holds_every_dictionary_configuration_and_notebook(root: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"scenetext/text/charsets/{file.name}" for file in (root / "src/scenetext/text/charsets").glob("*.txt")}
    wanted |= {
        f"scenetext/report/templates/{file.name}" for file in (root / "src/scenetext/report/templates").iterdir()
    }
    for folder, pattern in (("configs", "*.yml"), ("notebooks", "*.ipynb")):
        wanted |= {f"scenetext/shipped/{folder}/{file.name}" for file in (root / folder).glob(pattern)}
    wanted.add("scenetext/export/model_card.md.jinja")
    templates = root / "src" / "scenetext" / "workflow" / "templates"
    wanted |= {f"scenetext/workflow/templates/course/{file.name}" for file in (templates / "course").iterdir()}
    wanted |= {f"scenetext-{scenetext.__version__}.dist-info/licenses/{name}" for name in ("LICENSE", "NOTICE.md")}
    assert len(wanted) > 30 and wanted <= names


def test_configurations_and_dictionaries_are_found_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    code = (
        "import scenetext.config, scenetext.text.charset as charset\n"
        "config = scenetext.config.load_config('configs/ppocrv6_small.yml')\n"
        "print(config.Global.model_name, charset.charset_path('en_dict').is_file(), scenetext.__file__)"
    )
    name, found, file = in_empty_folder(tmp_path, installed, "-c", code).stdout.split()
    assert (name, found) == ("PP-OCRv6_small_rec", "True") and Path(file).is_relative_to(installed)


def test_copied_notebooks_name_the_folder_where_they_lie_as_the_project(installed: Path, tmp_path: Path) -> None:
    in_empty_folder(tmp_path, installed, "-m", "scenetext", "notebooks", "course")
    notebooks = tmp_path / "course" / "notebooks"
    assert len(list(notebooks.glob("*.ipynb"))) == 7 and (tmp_path / "course/configs/base_ctc.yml").is_file()
    for path in notebooks.glob("*.ipynb"):
        assert not any(cell.get("outputs") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    enter = "from scenetext.runs import enter_project_root; print(enter_project_root())"
    told, entered = in_empty_folder(notebooks, installed, "-c", enter).stdout.splitlines()
    assert entered == str(tmp_path / "course") and told.startswith(f"Project folder: {tmp_path / 'course'} ")


def test_copying_again_keeps_equal_files_and_refuses_to_replace_changed_ones(tmp_path: Path) -> None:
    first = copy_notebooks(tmp_path)
    assert copy_notebooks(tmp_path) == first
    changed = tmp_path / "configs" / "base_ctc.yml"
    changed.write_text("Global: {}\n", encoding="utf-8")
    first[-1].unlink()
    with pytest.raises(InputError, match=r"base_ctc\.yml is there already with another content \(1 such files\)"):
        copy_notebooks(tmp_path)
    assert changed.read_text(encoding="utf-8") == "Global: {}\n" and not first[-1].exists()
