"""The READMEs say the same in both languages, and every command in them is one that exists."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scenetext.cli import _parser
from scenetext.config import load_config

READMES = ("README.md", "README.zh-CN.md")


def code_blocks(path: Path) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    return [line for block in code_blocks(path) for line in block.splitlines()]


def test_both_readmes_hold_the_same_code_blocks(root: Path) -> None:
    english, chinese = (code_blocks(root / name) for name in READMES)
    assert len(english) > 5 and english == chinese


def test_every_scenetext_command_in_the_readme_is_understood(root: Path) -> None:
    lines = [re.sub(r".*command -v (scenetext)\)", r"\1", line) for line in commands(root / "README.md")]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("scenetext ")]
    assert {arguments[0] for arguments in ours} >= {
        "prepare",
        "train",
        "evaluate",
        "export",
        "predict",
        "submit",
        "run",
    }
    for arguments in ours:
        chosen = _parser().parse_args(arguments)
        if arguments[0] == "train":
            load_config(root / chosen.config, chosen.override)


def test_every_make_target_in_the_readme_exists(root: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "lab"} <= named <= targets


@pytest.mark.parametrize("name", [*READMES, "data/README.md", "submissions/README.md"])
def test_every_link_and_every_named_config_leads_somewhere(root: Path, name: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    configs = [f"configs/{file}" for file in re.findall(r"(?:configs/|^\| `)(\w+\.yml)", text, re.MULTILINE)]
    assert [link for link in links if not (root / name).parent.joinpath(link).exists()] == []
    assert [file for file in configs if not (root / file).exists()] == []


def test_the_three_wheels_that_write_cv2_are_one_version() -> None:
    versions = set()
    for name in ("opencv-python", "opencv-contrib-python", "opencv-python-headless"):
        try:
            versions.add(version(name))
        except PackageNotFoundError:
            continue
    assert len(versions) == 1


@pytest.mark.parametrize("python", ["3.10.0", "3.11.2", "3.11.9", "3.12.1", "3.13.0"])
def test_the_lock_has_one_version_of_every_dependency_for_each_python(root: Path, python: str) -> None:
    def applies(requirement: Requirement) -> bool:
        environment = {"python_version": python.rpartition(".")[0], "python_full_version": python}
        return requirement.marker is None or requirement.marker.evaluate({**environment, "sys_platform": "linux"})

    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    ours = [Requirement(line) for line in re.findall(r'^(?:    |cpu = \[)"([\w-]+[ <>=!].+?)"', text, re.MULTILINE)]
    lock = (root / ".ci" / "lock.txt").read_text(encoding="utf-8")
    entries = [Requirement(line) for line in re.findall(r"^([a-z0-9].*?) \\$", lock, re.MULTILINE)]
    locked = {}
    for entry in filter(applies, entries):
        assert entry.name not in locked, f"two versions of {entry.name}"
        locked[entry.name] = str(entry.specifier).removeprefix("==")
    wanted = [requirement for requirement in ours if applies(requirement)]
    assert len(wanted) > 30 and {"numpy", "paddlepaddle"} <= {requirement.name for requirement in wanted}
    outside = [str(wish) for wish in wanted if not wish.specifier.contains(locked.get(wish.name, "0"))]
    assert outside == [], "run `make lock`"
    assert len({locked[name] for name in locked if name.startswith("opencv")}) == 1
