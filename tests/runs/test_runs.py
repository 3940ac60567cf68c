"""Run folders, seeds, manifests and the project's root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.models.device import seed_everything
from scenetext.runs.folders import configured_run_folder, project_root, run_folder
from scenetext.runs.manifest import write_manifest


def test_the_root_is_found_from_the_root_and_from_a_folder_in_it(root: Path) -> None:
    assert project_root(root) == project_root(root / "notebooks") == root


def test_outside_of_any_project_the_working_directory_is_the_project_and_not_the_checkout(tmp_path: Path) -> None:
    assert project_root(tmp_path) == tmp_path  # copied notebooks once wrote into the checkout


def test_a_runs_executed_notebooks_belong_to_the_project_above(tmp_path: Path) -> None:
    for folder in ("notebooks", "runs/first/notebooks"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "01_data.ipynb").touch()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base_ctc.yml").touch()
    assert project_root(tmp_path / "runs/first/notebooks") == project_root(tmp_path / "notebooks") == tmp_path


def test_another_checkout_is_its_own_root(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "scenetext"\n')
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    (tmp_path / "notebooks" / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert project_root(tmp_path / "notebooks" / "deep") == tmp_path


def test_a_notebook_finds_package_and_root_from_the_notebooks_folder(root: Path) -> None:
    code = "from scenetext.runs.folders import enter_project_root; enter_project_root(); import os; print(os.getcwd())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "configs", capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == str(root)
    assert done.stdout.startswith(f"Project folder: {root} ")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", " a", "../x"])
def test_a_name_that_would_lead_out_of_runs_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name of a run"):
        run_folder(name)


def test_a_runs_folder_is_the_configured_one_or_named_for_the_file() -> None:
    told, untold = load_config({"Global": {"save_model_dir": "./out/x"}}), load_config({})
    assert configured_run_folder(told, "a.yml") == Path("out/x")
    assert configured_run_folder(untold, "configs/crnn.v2.yml") == Path("runs/crnn.v2")


def test_a_seed_repeats_python_numpy_and_paddle() -> None:
    import random

    import paddle

    def draw() -> tuple[float, float, float]:
        seed_everything(7)
        return random.random(), numpy.random.rand(), float(paddle.rand([1]))

    assert draw() == draw()


def test_a_manifest_names_versions_commit_seed_and_data(root: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"a\tb\n")
    config = load_config(root / "configs" / "crnn_mobile.yml", ["Global.seed=5"])
    manifest = json.loads(write_manifest(tmp_path, config, [tmp_path / "train.txt"]).read_text())
    assert manifest["seed"] == 5 and manifest["versions"]["numpy"] == numpy.__version__ and manifest["cores"] >= 1
    assert manifest["data"][str(tmp_path / "train.txt")]["size_bytes"] == 4
    other = load_config(config, ["Optimizer.lr.learning_rate=1e-5"])
    again = json.loads(write_manifest(tmp_path, other).read_text())
    assert again["config_sha256"] != manifest["config_sha256"]
    if (root / ".git").exists():
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        assert manifest["commit"].rstrip("+") == head.stdout.strip()


def test_a_manifest_of_a_missing_file_is_an_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.txt does not exist"):
        write_manifest(tmp_path, load_config({}), [tmp_path / "none.txt"])
    assert os.listdir(tmp_path) == []
