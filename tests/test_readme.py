"""The READMEs say the same in both languages, and every command in them is one that exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import pytest
from exported import tiny_export, tiny_folder
from packaging.requirements import Requirement

from scenetext.cli import _parser
from scenetext.config import load_config
from scenetext.predict.onnx_conversion import can_convert
from scenetext.predict.recognizer import Recognizer
from scenetext.workflow.notebook_runner import NOTEBOOKS
from scenetext.workflow.parameters import assign, read_parameters

READMES = ("README.md", "README.zh-CN.md")


def code_blocks(path: Path) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    """The lines of the code blocks, a command that goes on after a backslash or within quotes as one line."""
    blocks = [block.replace("\\\n", " ") for block in code_blocks(path)]
    return [re.sub(r"\n\s*", " ", line) for block in blocks for line in re.findall(r"(?:'[^']*'|[^\n'])+", block)]


def test_both_readmes_hold_the_same_code_blocks(root: Path) -> None:
    english, chinese = (code_blocks(root / name) for name in READMES)
    assert len(english) > 5 and english == chinese


def test_every_scenetext_command_in_the_readme_is_understood(root: Path) -> None:
    lines = [
        re.sub(r"^(?:.*command -v |(?:\w+=\S+ +)+)(scenetext)\b\)?", r"\1", line)
        for line in commands(root / "README.md")
    ]
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


def test_every_parameter_of_a_notebook_in_the_readme_is_declared_with_that_type(root: Path) -> None:
    defaults = {name: read_parameters(root / "notebooks" / f"{name}.ipynb") for name in NOTEBOOKS}
    ours = [shlex.split(line)[1:] for line in commands(root / "README.md") if line.startswith("scenetext run ")]
    assert len(ours) >= 3
    for arguments in ours:
        given = dict(parameter.split("=", 1) for parameter in _parser().parse_args(arguments).parameter)
        assign(given, defaults)
    (alone,) = [shlex.split(line) for line in commands(root / "README.md") if line.startswith("papermill ")]
    given = {name: value for flag, name, value in zip(alone[3::3], alone[4::3], alone[5::3], strict=True)}
    assert set(alone[3::3]) <= {"-p", "-r"} and assign(given, {"03_train": defaults["03_train"]})["03_train"]["epochs"]


def snippets(root: Path) -> list[str]:
    """The README's blocks of Python."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with line.jpg and the exports that the README's snippets name."""
    folder = tmp_path_factory.mktemp("deployed")
    for name in ("runs/demo/export", "runs/ppocrv6_small/export"):
        shutil.copytree(tiny_export("json", "auto"), folder / name)
    if can_convert():
        shutil.copytree(tiny_export("onnx", "auto"), folder / "runs/demo/export-onnx")
    cv2.imwrite(str(folder / "line.jpg"), cv2.imread(str(tiny_folder() / "images" / "3.png")))
    return folder


def run_snippet(code: str, folder: Path) -> str:
    """What a program prints in that folder; it gets the tiny network's height and name for paddleocr."""
    code = code.replace("[3, 48, 320]", "[3, 32, 128]").replace("PP-OCRv6_small_rec", "PP-OCRv4_mobile_rec")
    environment = {**os.environ, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("reader", ["paddle.inference", "onnxruntime", "rapidocr", "paddleocr"])
def test_other_programs_read_the_exported_folder_as_the_readme_says(root: Path, deployed: Path, reader: str) -> None:
    if reader == "paddleocr":
        pytest.importorskip("paddleocr")
    if reader in ("onnxruntime", "rapidocr") and not can_convert():
        pytest.skip("paddle2onnx is not installed")
    (common,) = [code for code in snippets(root) if "def text_of" in code]
    (own,) = [code for code in snippets(root) if re.search(rf"^(from|import) {reader}\b", code, re.MULTILINE)]
    assert "scenetext" not in common + own
    ((text, _),) = Recognizer(deployed / "runs/demo/export", "paddle")([cv2.imread(str(deployed / "line.jpg"))])
    assert text and run_snippet(f"{common}\n{own}" if "text_of" in own else own, deployed) == text


def test_the_package_is_used_from_python_as_the_readme_says(
    root: Path, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import paddle

    from scenetext.models import build_model

    monkeypatch.chdir(deployed)
    (deployed / "data/prepared").mkdir(parents=True)
    shutil.copy(tiny_folder() / "charset.txt", deployed / "data/prepared")
    (deployed / "runs/crnn_mobile").mkdir()
    weights = build_model(root / "configs/crnn_mobile.yml").state_dict()
    paddle.save(weights, str(deployed / "runs/crnn_mobile/best_accuracy.pdparams"))
    ours = [code for code in snippets(root) if "scenetext" in code]
    assert len(ours) == 2
    code = "\n".join([*ours, "print(len(report.matched), reader.__class__.__name__)"])
    code = code.replace('"configs/', f'"{root.as_posix()}/configs/')
    assert run_snippet(f"import scenetext\n{code}", deployed) == f"{len(weights)} Recognizer"
    assert (deployed / "labels.ngram").is_file()


def test_every_make_target_in_the_readme_exists(root: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "lab"} <= named <= targets


@pytest.mark.parametrize(
    "name", [*READMES, "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE.md", "data/README.md", "submissions/README.md"]
)
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
    ours = [Requirement(line) for line in re.findall(r'^    "([\w-]+[ <>=!].+?)"', text, re.MULTILINE)]
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
