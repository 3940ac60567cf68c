"""The strict notebook runner, and notebooks that stay clean in git whatever is done to them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scenetext.errors import InputError
from scenetext.workflow.notebook_cleaner import cleaned
from scenetext.workflow.parameters import assign, check_parameters, read_parameters, read_value

SIX = ("01_data", "02_config", "03_train", "04_evaluate", "05_export", "06_submit")


def notebook(*cells: str, parameters: str | None = None) -> str:
    """A notebook in the form in which ours are committed."""
    sources = [] if parameters is None else [(parameters, ["parameters"])]
    sources += [(cell, []) for cell in cells]
    content = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {"tags": tags} if tags else {},
                "outputs": [],
                "source": source.splitlines(keepends=True),
            }
            for number, (source, tags) in enumerate(sources)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of six tiny notebooks; each writes its parameters to a file, from the working directory it finds."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "scenetext"\n', encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    for name in SIX:
        own = "epochs = 3  # times\n" if name == "03_train" else ""
        write = (
            f"import json\nopen('{name}.json', 'w').write(json.dumps([run, globals().get('epochs')]))\nprint('{name}')"
        )
        text = notebook(write, parameters=f'run = "tiny"  # name\n{own}')
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(text, encoding="utf-8")
    return tmp_path


def scenetext(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenetext", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}, timeout=600
    )


def test_the_notebooks_run_in_order_with_their_parameters_from_any_folder_and_whatever_kernels_exist(
    project: Path,
) -> None:
    kernel = project / "jupyter" / "kernels" / "python3"  # registered on this machine, and broken
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["/nonexistent"], "display_name": "x", "language": "python"}')
    done = scenetext(
        "run", "-p", "run=mine", "epochs=5", cwd=project / "notebooks", JUPYTER_PATH=str(project / "jupyter")
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line in SIX] == list(SIX)
    for name in SIX:
        expected = ["mine", 5 if name == "03_train" else None]
        assert json.loads((project / f"{name}.json").read_text()) == expected
        copy = json.loads((project / "runs/mine/notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
        assert name in str(copy["cells"][-1]["outputs"])
    assert "epochs: 5" in (project / "runs/mine/notebooks/parameters.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-p", "epoch=3"], "nearest is epochs"),
        (["-p", "epochs=many"], "a whole number"),
        (["-p", "epochs"], "NAME=VALUE"),
        (["-p", "run=../elsewhere"], "the name of a run"),
        (["-c", "some.yml"], "-p config"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(project: Path, arguments: list[str], told: str) -> None:
    done = scenetext("run", *arguments, cwd=project)
    assert done.returncode == 2
    assert told in done.stderr and done.stderr.count("\n") == 1
    assert not list(project.glob("*.json")) and not (project / "runs").exists()


@pytest.mark.parametrize(
    ("statement", "status", "told"),
    [
        ("1 / 0", 1, "stopped in cell [3] with ZeroDivisionError: division by zero; see"),
        ("lost = 3\nassert not lost", 1, "AssertionError at `assert not lost`"),
        ("import os; os._exit(3)", 1, "its Python process died"),
        (
            "from scenetext.errors import InputError; raise InputError('no zip here.')",
            2,
            "InputError: no zip here; see",
        ),
    ],
)
def test_a_failing_notebook_stops_the_run_and_its_copy_is_kept(
    project: Path, statement: str, status: int, told: str
) -> None:
    failing = notebook("print('so far')", statement, parameters='run = "tiny"')
    (project / "notebooks/02_config.ipynb").write_text(failing, encoding="utf-8")
    done = scenetext("run", cwd=project)
    assert done.returncode == status
    last = done.stderr.splitlines()[-1]
    assert last.startswith("scenetext run: 02_config") and "runs/tiny/notebooks/02_config.ipynb" in last
    assert told in last
    assert (project / "01_data.json").exists() and not (project / "03_train.json").exists()
    assert "so far" in (project / "runs/tiny/notebooks/02_config.ipynb").read_text(encoding="utf-8")


DECLARED = (
    'run = "first"  # name\nurls = []  # files\nbudgets_mb = [2, 4]\nepochs = None\nval = 0.1\nresume = False\n'
    'extra = ["gb2312-1"]\n'
)


def injected(*lines: str) -> dict:
    """The variables of a notebook after papermill's cell, as IPython has them."""
    variables = {"In": ["", "root = enter()", DECLARED, "\n".join(["# Parameters", *lines, ""])]}
    exec("\n".join([DECLARED, *lines]), variables)
    return variables


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["epoch = 3"], "-p epoch: this notebook has no parameter of this name: the nearest is epochs."),
        (["run = 1"], "-p run 1: run must be a text, .* write -r run TEXT"),  # papermill's reading of -p run 001
        (["run = True"], "-p run True: run must be a text"),
        (['budgets_mb = "2 4"'], "-p budgets_mb=2 4: budgets_mb must be a list"),
        (["budgets_mb = 2"], "-p budgets_mb 2: budgets_mb must be a list"),
        (['resume = "maybe"'], "-p resume=maybe: resume must be true or false"),
        (["budgets_mb = '[2, x]'"], "budgets_mb must be a list of numbers, because its default is .*; 'x' is none"),
        (["budgets_mb = [2, True]"], "must be a list of numbers"),
        (["extra = [5]"], "extra must be a list of texts"),
        (["resume = 1"], "-p resume 1: resume must be true or false"),
        (['val = "many"'], "-p val=many: val must be a number"),
    ],
)
def test_a_parameter_that_papermill_injects_is_refused_in_the_cell_after_it(lines: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_parameters(injected(*lines))


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        (["urls = '[]'"], "urls", []),
        (["budgets_mb = '[2]'"], "budgets_mb", [2]),
        (["budgets_mb = [2.5, 4]"], "budgets_mb", [2.5, 4]),
        (["budgets_mb = '[]'"], "budgets_mb", []),
        (["budgets_mb = [2]"], "budgets_mb", [2]),  # by papermill's Python interface or -y
        (["val = '1e-1'"], "val", 0.1),
        (["val = 500"], "val", 500),
        (["epochs = 3"], "epochs", 3),
        (["run = '001'"], "run", "001"),  # -r run 001
    ],
)
def test_a_list_that_papermill_injects_as_text_is_read(lines: list[str], name: str, value: object) -> None:
    variables = injected(*lines)
    check_parameters(variables)
    assert variables[name] == value and type(variables[name]) is type(value)


def test_parameters_edited_by_hand_in_jupyter_are_not_checked_for_papermill() -> None:
    check_parameters({"In": ["", "root = enter()", "run = 5", "x = run"], "run": 5})
    check_parameters({"run": "first"})  # as a script, without IPython


def test_parameters_are_the_literals_of_the_tagged_cell(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text(notebook("other = 1", parameters="a = 1  # steps\nb = -1.5\nc = None\nd = ['x']\ne = ''"))
    assert read_parameters(path) == {"a": 1, "b": -1.5, "c": None, "d": ["x"], "e": ""}
    path.write_text(notebook(parameters="a = 1\nb = a + 1"))  # papermill would keep b's old value when a is given
    with pytest.raises(InputError, match="name = literal"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a = (", r"its line 2 is not valid Python \('\(' was never closed\)"),
        *((line, "its line 2 is not one") for line in ("a = f()", "import os", "a = c = 1", "a.b = 1", "a = 1 + 2")),
        *((line, "its line 2 is not one") for line in ("a = {**b}", "a = [f()]", "a = -'x'", "a, c = 1, 2", "f()")),
    ],
)
def test_a_parameters_cell_that_would_have_to_be_run_is_refused_with_its_line(tmp_path: Path, line, told) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(notebook(parameters=f"b = 1\n{line}"), encoding="utf-8")
    with pytest.raises(InputError, match=f"a.ipynb: the cell tagged `parameters` must hold only lines .*{told}"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("5", 3, 5),
        ("1e2", 3, 100),
        ("1e-3", 0.1, 1e-3),
        ("500", 0.1, 500),  # a fraction or a count
        ("true", False, True),
        ("2024", "name", "2024"),  # text stays text
        ("a=b", "name", "a=b"),
        ("", "name", ""),
        ("5", None, 5),
        ("null", None, None),
        ("", None, ""),
        ("[1, 2.5]", [3], [1, 2.5]),
        ("[a, 'b']", [], ["a", "b"]),
    ],
)
def test_a_value_is_read_by_the_type_of_the_default(text: str, default: object, value: object) -> None:
    read = read_value("p", text, default)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "default"), [("x", 3), ("1.5", 3), ("true", 3), ("1", True), ("x", 0.1), ("3", []), ("[3]", [])]
)
def test_a_value_of_another_type_is_refused(text: str, default: object) -> None:
    with pytest.raises(InputError, match="-p p="):
        read_value("p", text, default)


def test_a_parameter_goes_only_to_the_notebooks_that_declare_it() -> None:
    assert assign({"a": "1"}, {"x": {"a": 0, "b": 2}, "y": {"b": 2}}) == {"x": {"a": 1}, "y": {}}


def test_the_committed_notebooks_are_in_the_form_that_the_filter_gives(root: Path) -> None:
    if not (root / ".git").exists():
        pytest.skip("no checkout")
    for path in git("ls-files", "notebooks/*.ipynb", cwd=root).split():
        committed = git("show", f":{path}", cwd=root)
        assert cleaned(committed) == committed, path


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: cell.update(
            outputs=[{"output_type": "stream", "name": "stdout", "text": ["1"]}], execution_count=3
        ),
        lambda cell: cell.update(metadata={"tags": [], "editable": True, "vscode": {"languageId": "python"}}),
        lambda cell: cell.update(source="a = 1\nb = 2"),
        lambda cell: cell.update(source=["a = 1\nb = 2"]),  # one string of two lines: Jupyter would split it
        lambda cell: cell.update(attachments={}),
    ],
    ids=["outputs", "metadata of tools", "source in one string", "lines not split", "empty attachments"],
)
def test_the_filter_gives_a_cell_the_form_in_which_it_is_committed(change: Callable[[dict], None]) -> None:
    committed = notebook("a = 1\nb = 2")
    content = json.loads(committed)
    change(content["cells"][0])
    assert cleaned(json.dumps(content)) == committed


def test_the_filter_drops_injected_cells_and_names_the_kernel_as_all_notebooks_do() -> None:
    committed = notebook("a", parameters="a = 1")
    content = json.loads(committed)
    for tag in ("injected-parameters", "papermill-error-cell-tag"):
        content["cells"].insert(1, {**content["cells"][1], "metadata": {"tags": [tag]}, "id": tag})
    content["metadata"] = {
        "kernelspec": {"display_name": "mine", "name": "conda-env-mine"},
        "papermill": {"duration": 1},
    }
    assert cleaned(json.dumps(content)) == committed


@pytest.mark.parametrize("data", [b"<<<<<<< HEAD\n{}", b"", b'{"a": 1}', b"[]", b"\xff\xfe"])
def test_the_filter_does_not_change_a_file_that_is_not_a_notebook(data: bytes) -> None:
    command = [sys.executable, "-m", "scenetext.workflow.notebook_cleaner"]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=600)
    assert (done.stdout, done.stderr) == (data, b"")


def git(*arguments: str, cwd: Path) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Path:
    """A git checkout with one notebook, set up as `make` sets up ours."""
    recipe = next(line for line in (root / "Makefile").read_text().splitlines() if "filter.scenetext-notebook" in line)
    command = recipe.split("||", 1)[1].strip().replace("$(BIN)/python", sys.executable)
    (tmp_path / "notebooks").mkdir()
    tiny = tmp_path / "notebooks/03_train.ipynb"
    tiny.write_text(notebook("print(a)", parameters="a = 1  # number"), encoding="utf-8")
    (tmp_path / ".gitattributes").write_bytes((root / ".gitattributes").read_bytes())
    git("init", "-q", ".", cwd=tmp_path)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-q", "-m", "start", cwd=tmp_path)
    return tmp_path


def papermill(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "papermill", *arguments, "-k", "python3"]
    return subprocess.run(command, cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)


def test_papermill_with_one_argument_prints_the_executed_copy_and_leaves_the_notebook_as_it_was(checkout: Path) -> None:
    before = (checkout / "notebooks/03_train.ipynb").read_bytes()
    done = papermill("03_train.ipynb", "-p", "a", "7", cwd=checkout / "notebooks")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cells"][-1]["outputs"][0]["text"] == ["7\n"]
    assert (checkout / "notebooks/03_train.ipynb").read_bytes() == before


def test_papermill_with_one_argument_in_a_terminal_leaves_the_notebook_as_it_was(checkout: Path) -> None:
    before = (checkout / "notebooks/03_train.ipynb").read_bytes()
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "papermill", "03_train.ipynb"]
    process = subprocess.Popen(command, cwd=checkout / "notebooks", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert process.wait(100) == 2  # it asks for the output's name
    assert b"OUTPUT_PATH" in os.read(terminal, 10000)
    os.close(terminal)
    assert (checkout / "notebooks/03_train.ipynb").read_bytes() == before


def test_a_notebook_run_onto_itself_is_unchanged_for_git(checkout: Path) -> None:
    done = papermill("03_train.ipynb", "03_train.ipynb", "-p", "a", "7", cwd=checkout / "notebooks")
    assert done.returncode == 0, done.stderr
    assert b'"7\\n"' in (checkout / "notebooks/03_train.ipynb").read_bytes()
    git("add", "-A", cwd=checkout)
    assert git("status", "--porcelain", cwd=checkout) == ""
    git("checkout", "-q", "HEAD", "--", ".", cwd=checkout)


def test_an_edited_source_is_seen_by_git_in_spite_of_the_filter(checkout: Path) -> None:
    path = checkout / "notebooks/03_train.ipynb"
    path.write_text(path.read_text().replace("print(a)", "print(a + 1)"))
    assert "notebooks/03_train.ipynb" in git("status", "--porcelain", cwd=checkout)
