"""The READMEs say the same in both languages, and every command in them is one that exists."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

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


def test_every_pinned_dependency_has_the_same_pin_in_the_constraints(root: Path) -> None:
    pins = re.findall(r'"([\w-]+==[\w.]+)"', (root / "pyproject.toml").read_text(encoding="utf-8"))
    known = {line.lower().replace("_", "-") for line in (root / ".ci" / "constraints.txt").read_text().splitlines()}
    assert len(pins) > 20
    assert [pin for pin in pins if pin not in known and not pin.startswith("paddlepaddle-gpu")] == []
