"""The notebooks: their form, cell by cell; a real walk through them on a tiny drawn competition; the course."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup

from scenetext.errors import InputError
from scenetext.runs.experiment import configure, starting_config
from scenetext.workflow.notebook_cleaner import cleaned
from scenetext.workflow.notebook_runner import COMPARISON, NOTEBOOKS
from scenetext.workflow.parameters import read_parameters

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
MOST_CELLS, MEDIAN_LINES, MOST_LINES, PLOTS = 20, 6, 15, range(1, 5)
ALL = (*NOTEBOOKS, COMPARISON)
SHARED = {  # parameters that several notebooks have, so that one -p reaches them all
    "run": ALL,
    "prepared": ("01_data", "02_config", "03_train"),
    "seed": ("01_data", "02_config", "03_train"),
    "config": ("02_config", "03_train"),
    "weights": ("02_config", "03_train"),
    "epochs": ("02_config", "03_train"),
    "batch_size": ("02_config", "03_train"),
    "learning_rate": ("02_config", "03_train"),
    "overrides": ("02_config", "03_train"),
    "checkpoint": ("04_evaluate", "05_export"),
    "max_mb": ("05_export", "06_submit"),
}
each = pytest.mark.parametrize("name", ALL)


@cache
def text_of(name: str) -> str:
    return (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")


def cells(name: str, kind: str | None = None) -> list[dict]:
    found = json.loads(text_of(name))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found if kind in (None, cell["cell_type"])]


def trees(name: str) -> Iterator[tuple[str, ast.Module]]:
    for cell in cells(name, "code"):
        yield cell["id"], ast.parse(cell["source"])


@each
def test_it_is_committed_clean_and_valid(name: str) -> None:
    # as git stores it: the filter removes the outputs that a user's run wrote into the working copy
    stored = subprocess.run(
        ["git", "show", f":notebooks/{name}.ipynb"], cwd=FOLDER.parent, capture_output=True, text=True
    ).stdout or text_of(name)
    assert cleaned(stored) == stored
    notebook = nbformat.reads(stored, as_version=4)
    assert nbformat.writes(notebook) + "\n" == stored, "saving it in Jupyter would change it"
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-z][a-z-]+", identity) for identity in ids)


@each
def test_it_opens_with_its_claim_in_two_languages_and_what_it_reads_writes_and_takes(name: str) -> None:
    heading, claim, chinese, *table = [part for part in cells(name)[0]["source"].split("\n") if part]
    assert re.fullmatch(rf"# {name[:2]} · \w+", heading)
    assert claim.endswith(".") and claim.isascii() and "。" not in claim
    assert chinese.endswith("。") and re.search(r"[\u4e00-\u9fff]{4}", chinese)
    assert [row.split("|")[1].strip() for row in table[2:]] == ["**Reads**", "**Writes**", "**Minutes**"]


@each
def test_every_english_paragraph_is_followed_by_the_same_in_chinese(name: str) -> None:
    for cell in cells(name, "markdown")[1:]:
        parts = [part for part in cell["source"].split("\n\n") if part != "</details>"]
        chinese = [bool(re.search(r"[\u4e00-\u9fff]", part)) for part in parts]
        headings = [part.startswith(("#", "<details><summary>")) for part in parts]
        assert all(told for told, heading in zip(chinese, headings, strict=True) if heading), cell["id"]
        paragraphs = [told for told, heading in zip(chinese, headings, strict=True) if not heading]
        assert paragraphs[-1], cell["id"]
        assert not any(a and b for a, b in pairwise(paragraphs)), cell["id"]


@each
def test_it_teaches_with_goals_three_exercises_folded_answers_and_something_to_try(name: str) -> None:
    goals = cells(name)[1]["source"]
    assert goals.startswith("## After this notebook you can") and goals.count("\n- ") == goals.count("\n* ") >= 3
    by_id = {cell["id"]: cell["source"] for cell in cells(name)}
    for number, exercise in enumerate(("exercise-one", "exercise-two", "exercise-three"), 1):
        assert f"**{number}.**" in by_id[f"{exercise}-text"]
        assert re.search(r"^answer = None  # \S", by_id[exercise], re.MULTILINE)
        assert re.fullmatch(r"lesson\.check_\w+\(answer, .+\)", by_id[exercise].splitlines()[-1])
    opened, closed = (by_id["questions"].count(tag) for tag in ("<details><summary>", "</details>"))
    assert opened == closed >= 2
    assert by_id["try-it"].startswith("## Try it")


@each
def test_it_expects_nothing_of_the_data(name: str) -> None:
    # what the data are like is written from them: a sentence that expects it is wrong for some data
    told = "".join(cell["source"] for cell in cells(name, "markdown"))
    assert not re.search(r"\bexpect|应当看到|应当有|应当更", told, re.IGNORECASE)


@each
def test_it_checks_what_papermill_injected_in_the_cell_after_it(name: str) -> None:
    assert "\ncheck_parameters(globals())\n" in cells(name, "code")[2]["source"]


def test_the_data_notebook_and_the_command_prepare_have_the_same_defaults() -> None:
    from scenetext.cli import _parser

    chosen = vars(_parser().parse_args(["prepare", "--raw", "data/raw", "--out", "data/prepared"]))
    notebook = read_parameters(FOLDER / "01_data.ipynb")
    assert {k: v for k, v in notebook.items() if k not in {"run", "urls", "val", "prepared"}} == {
        k: v for k, v in chosen.items() if k in notebook and k != "val"
    }
    assert (float(chosen["val"]), chosen["out"]) == (notebook["val"], notebook["prepared"])


@each
def test_it_enters_the_project_then_sets_literals_then_derives(name: str) -> None:
    setup, parameters, derived = cells(name, "code")[:3]
    assert "enter_project_root()" in setup["source"] and "paddle" not in setup["source"]
    assert parameters["metadata"] == {"tags": ["parameters"]} and parameters["id"] == "parameters"
    for line in parameters["source"].splitlines():
        assert re.fullmatch(r"\w+ = .+  # \S.+", line), f"{line}: name = literal  # meaning, unit"
    assert derived["id"] == "derived" and "run_folder(run)" in derived["source"]
    assert [cell for cell in cells(name) if "parameters" in cell["metadata"].get("tags", [])] == [
        cell for cell in cells(name) if cell["id"] == "parameters"
    ]


@each
def test_papermill_finds_every_parameter_so_that_none_is_called_unknown(name: str) -> None:
    # it gives up on a line with a second "=", in a comment too
    assert list(papermill.inspect_notebook(str(FOLDER / f"{name}.ipynb"))) == list(
        read_parameters(FOLDER / f"{name}.ipynb")
    )


@pytest.mark.parametrize(("parameter", "notebooks"), SHARED.items())
def test_a_parameter_shared_by_notebooks_has_one_name_in_all(parameter: str, notebooks: tuple[str, ...]) -> None:
    having = {name for name in ALL if parameter in read_parameters(FOLDER / f"{name}.ipynb")}
    assert having == set(notebooks)


def test_training_alone_and_after_the_configuration_take_the_same_parameters() -> None:
    own = read_parameters(FOLDER / "02_config.ipynb")
    alone = read_parameters(FOLDER / "03_train.ipynb")
    assert set(alone) - set(own) == {"resume"} and set(own) <= set(alone)
    assert {name: alone[name] for name in own if name != "config"} == {n: v for n, v in own.items() if n != "config"}


@each
def test_its_cells_are_few_and_short(name: str) -> None:
    lines = [len(cell["source"].splitlines()) for cell in cells(name, "code")]
    assert len(lines) <= MOST_CELLS
    assert median(lines) <= MEDIAN_LINES
    assert max(lines) <= MOST_LINES


@each
def test_its_code_is_plain(name: str) -> None:
    for cell, tree in trees(name):
        for node in ast.walk(tree):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)), cell
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"/|~|[A-Za-z]:\\", node.value), f"{cell}: an absolute path {node.value!r}"
    for cell in cells(name, "code"):
        for line in cell["source"].splitlines():
            assert len(line) <= 120, f"{cell['id']}: {line}"
            assert not re.match(r"\s*(!|%|#)", line), f"{cell['id']}: {line}"


@each
def test_it_shows_one_to_four_figures_and_says_before_what_they_show(name: str) -> None:
    found = cells(name)
    figures = [i for i, cell in enumerate(found) if "plots.save(" in cell["source"]]
    assert len(figures) in PLOTS
    for at in figures:
        assert found[at]["source"].splitlines()[-1].startswith("plots.save("), "the figure is the cell's last line"
        assert found[at - 1]["cell_type"] == "markdown" or found[at - 2]["cell_type"] == "markdown"


@each
def test_its_last_cell_asserts_the_products_and_names_what_comes_next(name: str) -> None:
    last = cells(name)[-1]["source"]
    assert "\nassert " in f"\n{last}" and "print(" in last
    following = dict(pairwise(NOTEBOOKS)).get(name)
    assert following is None or following in last


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of what a run needs, with a tiny drawn competition, so that the checkout is not changed."""
    from scenetext.synth import draw_competition

    root = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "configs"):
        shutil.copytree(FOLDER.parent / name, root / name)
    shutil.copy(FOLDER.parent / "pyproject.toml", root)
    draw_competition(root / "data" / "raw", train=60, test=12, seed=1)
    write_pretrained(root / "pretrained")
    return root


def write_pretrained(folder: Path) -> None:
    """Random weights of the tiny network with their dictionary beside them, to finetune and to compare with."""
    import paddle

    from scenetext.config import load_config
    from scenetext.models import build_model

    config = load_config(FOLDER.parent / "configs" / "crnn_mobile.yml", ["Global.character_dict_path=ppocr_keys_v1"])
    paddle.seed(0)
    model = build_model(config)
    folder.mkdir()
    paddle.save(model.state_dict(), str(folder / "best_accuracy.pdparams"))
    model.charset.write(folder / "charset.txt")


def run(project: Path, *command: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
    source = str(FOLDER.parent / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=project / folder, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def walked(project: Path) -> Path:
    """The run's folder after all six notebooks."""
    small = "overrides=[Global.print_batch_step=1, Train.sampler.max_width=320]"
    done = run(
        project, "scenetext", "run", "-c", "configs/crnn_mobile.yml", "-p", "run=tiny", "val=0.2", "epochs=1",
        "batch_size=8", "weights=pretrained/best_accuracy", "answers=data/raw/answers/test_label.csv",
        "budgets_mb=[0.3, 0.5, 0.5]", small,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return project / "runs" / "tiny"


def test_all_six_walk_a_drawn_competition_to_a_valid_submission(project: Path, walked: Path) -> None:
    from scenetext.submit.submission import validate_submission

    found = validate_submission(project / "submissions" / "tiny" / "predicts.txt", [f"{i}.jpg" for i in range(12)])
    assert found["rows"] == 12
    manifest = json.loads((project / "submissions" / "tiny" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["size_bytes"] <= 10_000_000
    assert "| tiny |" in (project / "submissions" / "README.md").read_text(encoding="utf-8")


def test_the_executed_copies_hold_the_figures_and_the_sources_stay_as_they_were(project: Path, walked: Path) -> None:
    for name in NOTEBOOKS:
        executed = nbformat.read(walked / "notebooks" / f"{name}.ipynb", as_version=4)
        outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        written = "".join(o.text for o in outputs if o.output_type == "stream")
        noise = ("OMP_NUM_THREADS", "\x1b[A", "Warning", "imdecode_")
        assert not [word for word in noise if word in written], f"{name}: {written}"
        wanted = sum("plots.save(" in cell["source"] for cell in cells(name))
        assert len(pictures) == wanted, f"{name}: each figure is shown once"
        assert len(list((walked / "plots").glob(f"{name[:2]}_*.png"))) == wanted
        assert (project / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8") == text_of(name)


def test_exercises_that_nobody_answered_say_so_and_stop_nothing(walked: Path) -> None:
    for name in NOTEBOOKS:
        executed = nbformat.read(walked / "notebooks" / f"{name}.ipynb", as_version=4)
        results = [cell.outputs[-1] for cell in executed.cells if re.fullmatch(r"exercise-(one|two|three)", cell.id)]
        assert len(results) == 3
        assert all("Not answered yet" in result["data"]["text/plain"] for result in results), name


def test_the_gain_on_test_lines_is_told_with_its_interval(walked: Path) -> None:
    executed = nbformat.read(walked / "notebooks" / "06_submit.ipynb", as_version=4)
    (cell,) = (cell for cell in executed.cells if cell.id == "gains")
    told = cell.outputs[0].text
    assert "On the 12 test lines, which chose nothing" in told and "95 % interval" in told
    assert "There was one evaluation, so these lines chose nothing, either." in told


def test_the_course_is_pages_that_load_nothing_from_elsewhere(project: Path, walked: Path) -> None:
    done = run(project, "scenetext", "course", "--run", "tiny")
    assert done.returncode == 0, done.stderr[-3000:]
    course, pages = project / "course", [f"{name}.html" for name in ALL]
    read = {path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in course.iterdir()}
    assert sorted(read) == sorted(["index.html", *pages])
    assert [link["href"] for link in read["index.html"].select("main li a[href]")] == pages
    for name, page in zip(ALL, pages, strict=True):
        assert not read[page].select("script, link, iframe, object") and "@import" not in str(read[page])
        pictures = [picture["src"] for picture in read[page].select("img")]
        assert all(picture.startswith("data:image/png;base64,") for picture in pictures), page
        assert len(pictures) == sum("plots.save(" in cell["source"] for cell in cells(name))
        assert len(read[page].select("details > summary")) >= 2
        assert all(len(folded.select("p")) == 2 for folded in read[page].select("details")), "the answer is folded"
        assert {link["href"] for link in read[page].select("nav a")} <= {"index.html", *pages}
    assert str(read["07_compare.html"]).count("Not answered yet") == 3
    assert "epochs: 1" in (walked / "notebooks" / "parameters.yml").read_text(encoding="utf-8")


def test_two_runs_are_laid_side_by_side_with_what_differs(project: Path, walked: Path, monkeypatch, capsys) -> None:
    other = shutil.copytree(walked, walked.with_name("other"))
    settings = (other / "config.yml").read_text(encoding="utf-8")
    (other / "config.yml").write_text(settings.replace("epoch_num: 1", "epoch_num: 7"), encoding="utf-8")
    monkeypatch.chdir(project)
    monkeypatch.setattr("scenetext.runs.enter_project_root", lambda: project)
    variables: dict = {}
    for cell in cells(COMPARISON, "code"):
        exec(cell["source"], variables)
        variables |= {"run": "tiny", "other": "other"} if cell["id"] == "parameters" else {}
        if cell["id"] == "settings":
            differs = variables["table"][variables["table"].nunique(axis=1) > 1]
            assert differs.loc["Global.epoch_num"].to_dict() == {"other": "7", "tiny": "1"} and len(differs) == 1
    assert list(variables["columns"]) == ["other", "tiny"]
    assert "No difference shown between other and tiny" in capsys.readouterr().out


def test_a_course_needs_a_run_and_replaces_nothing_but_a_course(project: Path, walked: Path) -> None:
    from scenetext.workflow import make_course

    with pytest.raises(InputError, match=r"run none has no executed notebook 01_data: run `scenetext run -p run=none`"):
        make_course("none", root=project)
    (project / "mine").mkdir()
    (project / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="mine holds other files than a course"):
        make_course("tiny", out=project / "mine", root=project)


def test_training_trains_exactly_what_the_configuration_notebook_wrote(walked: Path) -> None:
    from scenetext.config import load_config

    executed = nbformat.read(walked / "notebooks" / "02_config.ipynb", as_version=4)
    (cell,) = (cell for cell in executed.cells if cell.id == "end")
    assert "runs/tiny/config.yml" in cell.outputs[0].text
    trained = load_config(walked / "config.yml")
    assert (trained.Global.epoch_num, trained.Train.loader.batch_size_per_card) == (1, 8)
    assert trained.Train.sampler.max_width == 320


def test_papermill_runs_a_single_notebook_from_its_folder_and_training_goes_on(project: Path, walked: Path) -> None:
    going_on = shutil.copytree(walked, walked.with_name("going_on"))  # other tests read the run as it was
    before = [json.loads(line) for line in (walked / "history.jsonl").read_text().splitlines()]
    done = run(
        project, "papermill", "03_train.ipynb", "OUT.ipynb", "-p", "run", "going_on", "-p", "epochs", "2", "-p",
        "resume", "True", "--no-progress-bar", folder="notebooks",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "unknown parameter" not in done.stderr
    after = [json.loads(line) for line in (going_on / "history.jsonl").read_text().splitlines()]
    assert after[: len(before)] == before and [row["epoch"] for row in after if row["kind"] == "eval"][-1] == 2
    assert (project / "notebooks" / "03_train.ipynb").read_text(encoding="utf-8") == text_of("03_train")


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("epochs=abc", 'Global.epoch_num="abc"'),
        ("overrides=[Global.epoch_nmu=3]", "the nearest is epoch_num"),
        ("resume=true", "train this run without resume first"),
        ("learning_rate=-1", "Optimizer.lr.learning_rate must be"),
        ("config=configs/none.yml", "configs/none.yml does not exist"),
    ],
)
def test_a_wrong_setting_is_refused_before_01_rewrites_the_data(
    project: Path, parameter: str, told: str, tmp_path: Path
) -> None:
    done = run(project, "scenetext", "run", "-p", "run=wrong", parameter, folder="notebooks")
    assert done.returncode == 2
    assert told in done.stderr and done.stderr.count("\n") == 1
    assert not (project / "runs" / "wrong").exists()


def error_of(project: Path, name: str, *parameters: str) -> str:
    """The last cell's output of a notebook that papermill runs in `notebooks/` and that stops."""
    done = run(
        project, "papermill", f"{name}.ipynb", "OUT.ipynb", "--no-progress-bar", *parameters, folder="notebooks"
    )  # fmt: skip
    assert done.returncode == 1
    executed = nbformat.read(project / "notebooks" / "OUT.ipynb", as_version=4)
    (output,) = [o for cell in executed.cells for o in cell.get("outputs", ()) if o.output_type == "error"]
    assert output.ename == "InputError" and output.traceback == [f"InputError: {output.evalue}"]
    return output.evalue


def test_papermill_s_wrong_parameter_is_one_sentence_in_the_executed_copy(project: Path) -> None:
    assert "the nearest is epochs" in error_of(project, "03_train", "-p", "epoch", "3")
    assert "write -r run TEXT" in error_of(project, "04_evaluate", "-p", "run", "001")


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("01_data", {"raw": "nowhere"}, r'nowhere does not exist: .* set raw = "data/demo/raw"'),
        ("02_config", {"prepared": "nowhere"}, "nowhere/train.txt does not exist: run the notebook 01_data first"),
        ("03_train", {"prepared": "nowhere"}, "nowhere/train.txt does not exist: run the notebook 01_data first"),
        ("04_evaluate", {"run": "nowhere"}, "nowhere/config.yml does not exist: run the notebook 03_train first"),
        ("05_export", {"run": "nowhere"}, "nowhere/config.yml does not exist: run the notebook 03_train first"),
        ("07_compare", {"run": "nowhere"}, "pretrained/predictions.csv does not exist: run the notebook 04_evaluate"),
        ("07_compare", {"other": "nowhere"}, "nowhere/evaluate/predictions.csv does not exist: run .* 04_evaluate"),
        ("06_submit", {"run": "nowhere"}, "nowhere/export/inference.yml does not exist: run the notebook 05_export"),
    ],
)
def test_a_notebook_without_its_input_says_which_one_to_run_first(
    project: Path, monkeypatch, name: str, parameters: dict, told: str
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr("scenetext.runs.enter_project_root", lambda: project)
    variables = dict(parameters)
    with pytest.raises(InputError, match=told):
        for cell in cells(name, "code"):
            exec(cell["source"], variables)
            variables |= parameters


def test_the_sample_is_offered_where_the_demo_has_drawn_it(tmp_path: Path, monkeypatch) -> None:
    from scenetext.workflow import require, require_raw

    monkeypatch.chdir(tmp_path)
    for folder in ("data/demo/raw", "data/demo/prepared", "runs/demo"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(InputError, match=r'set raw = "data/demo/raw" .* which `scenetext demo` has drawn'):
        require_raw("data/raw")
    with pytest.raises(InputError, match='set prepared = "data/demo/prepared"'):
        require("01_data", "data/prepared/train.txt")
    with pytest.raises(InputError, match='set run = "demo"'):
        require("03_train", "runs/first/config.yml")
    require_raw("data/demo/raw")
    require("01_data")


@pytest.mark.parametrize(
    ("config", "own_file", "started_from"),
    [
        (None, False, "configs/ppocrv6_small.yml"),  # nothing said, nothing written: the default
        (None, True, "runs/first/config.yml"),  # what 02 wrote
        ("configs/crnn_mobile.yml", True, "configs/crnn_mobile.yml"),  # what is said wins
    ],
)
def test_a_run_starts_from_what_is_named_else_from_its_own_file(
    tmp_path: Path, monkeypatch, config, own_file, started_from
) -> None:
    monkeypatch.chdir(tmp_path)
    if own_file:
        (tmp_path / "runs" / "first").mkdir(parents=True)
        (tmp_path / "runs" / "first" / "config.yml").write_text("Global:\n  epoch_num: 3\n")
    assert starting_config(config, "first").as_posix() == started_from


def test_parameters_left_alone_keep_what_the_run_s_own_file_says(tmp_path: Path, monkeypatch) -> None:
    from scenetext.config import write_config

    monkeypatch.chdir(tmp_path)
    shutil.copytree(FOLDER.parent / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("charsets"))
    first = configure(
        "configs/crnn_mobile.yml", "first", prepared="data/a b", weights="", epochs=7, learning_rate=1e-4, seed=5,
        overrides=["Train.sampler.max_width=480"],
    )  # fmt: skip
    write_config(first, "runs/first/config.yml")
    assert configure(None, "first") == first
    assert configure(None, "first", epochs=9).Global == first.Global.model_copy(update={"epoch_num": 9})
    assert first.Eval.dataset.label_file_list == ["data/a b/val.txt"]
    assert configure("configs/crnn_mobile.yml", "other", prepared="").Eval.dataset.data_dir.startswith("./")


def test_resuming_without_a_checkpoint_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="runs/first/latest.pdparams does not exist"):
        configure(FOLDER.parent / "configs" / "crnn_mobile.yml", "first", resume=True)
