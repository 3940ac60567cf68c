"""Submissions: their format, their check against the test set, the manifest and the table."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from exported import LINES, tiny_export, tiny_folder

from scenetext.cli import main
from scenetext.errors import InputError, RunError
from scenetext.predict.images import predict_images
from scenetext.predict.recognizer import Recognizer
from scenetext.submit import submission
from scenetext.submit.score_table import add_submission_row
from scenetext.submit.submission import read_submission, submit, validate_submission
from scenetext.system import files
from scenetext.system.files import read_json, sha256_file

NAMES = ["1.jpg", "2.jpg", "10.jpg"]


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission of the tiny network, one of its images unreadable."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(tiny_folder() / "images", folder / "images")
    (folder / "images" / "12.png").write_bytes(b"")
    out = folder / "submissions" / "first"
    scores = {"raw": {"value": 0.5}, "normalised": {"value": 0.625}}
    seen: list[str] = []
    observed = {"observe": lambda prediction: seen.append(Path(prediction.name).name)}
    submit(tiny_export("json", "float32"), folder / "images", out, scores=scores, **observed, progress=False)
    assert seen == [f"{number}.png" for number in range(LINES + 1)]
    return out


@pytest.fixture
def own(submitted: Path, tmp_path: Path) -> Path:
    """A copy of the submission with its pictures and its table, for tests that write into it."""
    return shutil.copytree(submitted.parents[1], tmp_path / "own") / "submissions" / "first"


def test_submission_has_a_row_for_every_image_in_natural_order(submitted: Path) -> None:
    data = (submitted / "predicts.txt").read_bytes()
    assert data.startswith(b"new_name\tvalue\n") and data.endswith(b"\n") and b"\r" not in data
    rows = [line.split("\t") for line in data.decode("utf-8").splitlines()[1:]]
    assert [name for name, _ in rows] == [f"{number}.png" for number in range(LINES + 1)]
    images = submitted.parents[1] / "images"
    read = {p.name: p.text for p in predict_images(Recognizer(tiny_export("json", "float32")), images, progress=False)}
    assert dict(rows) == read and read["12.png"] == ""
    assert sorted(path.name for path in submitted.iterdir()) == ["manifest.json", "predicts.txt"]


def test_manifest_says_how_the_submission_was_made(submitted: Path) -> None:
    manifest = read_json(submitted / "manifest.json")
    model = tiny_export("json", "float32")
    assert (manifest["name"], manifest["rows"]) == ("first", LINES + 1)
    assert manifest["empty"] >= 1 and "12.png is empty" in manifest["unreadable"]["12.png"]
    assert manifest["predictions_sha256"] == sha256_file(submitted / "predicts.txt")
    files = manifest["model"]["files"]
    read = model.glob("inference.*")
    assert files == {p.name: {"sha256": sha256_file(p), "size_bytes": p.stat().st_size} for p in read}
    assert manifest["model"]["network"] == "CRNN on MobileNetV3 small x0.35"
    assert manifest["model"]["size_bytes"] == sum(
        file["size_bytes"] for name, file in files.items() if name != "inference.yml"
    )
    assert manifest["scores"]["normalised"]["value"] == 0.625
    assert manifest["environment"]["versions"]["paddlepaddle"]


def test_table_has_one_row_per_submission(own: Path) -> None:
    readme = own.parent / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "\nA remark below the table.\n", encoding="utf-8")
    images = own.parents[1] / "images"
    for out in (own.parent / "second", own, own):
        submit(tiny_export("json", "float32"), images, out, progress=False)
    submit(tiny_export("json", "float32"), images, own.parent / "third", progress=False, add_row=False)
    lines = readme.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("|")]
    assert rows == ["submission", "---", "first", "second"]
    assert lines[-1] == "A remark below the table."


def test_other_files_in_the_folder_stay(own: Path) -> None:
    (own / "notes.txt").write_text("mine")
    submit(tiny_export("json", "float32"), own.parents[1] / "images", own, progress=False)
    assert (own / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("prepare", "settings", "told"),
    [
        (lambda images, model: None, {"max_mb": 0.5}, "limit is 0.5 MB"),
        (lambda images, model: shutil.copytree(images, images / "more"), {}, "by bare name only"),
        (lambda images, model: [path.unlink() for path in images.iterdir()], {}, "no images"),
        (lambda images, model: tabs_for_digits(model), {}, "tab or line end"),
        (lambda images, model: (model / "inference.json").unlink(), {}, "holds no program"),
    ],
)
def test_refusal_leaves_the_earlier_submission(tmp_path: Path, prepare, settings: dict, told: str) -> None:
    images, model, out = tmp_path / "images", tmp_path / "model", tmp_path / "submissions" / "s"
    shutil.copytree(tiny_folder() / "images", images)
    shutil.copytree(tiny_export("json", "float32"), model)
    out.mkdir(parents=True)
    (out / "predicts.txt").write_text("earlier")
    prepare(images, model)
    with pytest.raises(InputError, match=told):
        submit(model, images, out, progress=False, **settings)
    assert (out / "predicts.txt").read_text() == "earlier" and len(list(out.iterdir())) == 1
    assert not (out.parent / "README.md").exists()


def tabs_for_digits(model: Path) -> None:
    settings = yaml.safe_load((model / "inference.yml").read_text())
    settings["PostProcess"]["character_dict"] = ["\t"] * 10
    (model / "inference.yml").write_text(yaml.safe_dump(settings))


GOOD = "new_name\tvalue\n1.jpg\ta\n2.jpg\t\n10.jpg\tb c\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("value", "text"), ":1 is"),
        ("", ":1 is"),
        (GOOD[:-1], "cut short"),
        (GOOD.replace("\n", "\r\n"), ":1 holds a CR"),
        ("\ufeff" + GOOD, "byte order mark"),
        (GOOD.replace("2.jpg\t\n", ""), "2.jpg is missing"),
        (GOOD + "11.jpg\tx\n", "11.jpg is not in the test set"),
        (GOOD + "10.jpg\tb c\n", "10.jpg is twice"),
        (GOOD.replace("1.jpg\ta\n2.jpg\t\n", "2.jpg\t\n1.jpg\ta\n"), ":3: 1.jpg stands after 2.jpg"),
        (GOOD.replace("b c", "b\tc"), ":4 has 3 columns"),
        (GOOD.replace("\ta", ""), ":2 has 1 columns"),
        (GOOD.replace("1.jpg", "images/1.jpg"), "is missing"),
    ],
)
def test_wrong_submission_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "p.txt").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError, match=told):
        validate_submission(tmp_path / "p.txt", NAMES)


def test_right_submission_is_counted(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text(GOOD, encoding="utf-8", newline="")
    assert validate_submission(tmp_path / "p.txt", NAMES) == {"rows": 3, "empty": 1}
    (tmp_path / "p.txt").write_bytes(GOOD.replace("b c", "中").encode("gb18030"))
    with pytest.raises(InputError, match=":4 is not UTF-8"):
        validate_submission(tmp_path / "p.txt", NAMES)


@pytest.mark.parametrize("with_notes", [False, True])
@pytest.mark.parametrize("failing", [0, 1, 2, 3, 5])
def test_a_submission_that_fails_anywhere_is_old_or_new_or_told(
    with_notes: bool, failing: int, submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, images = tmp_path / "out", tmp_path / "images"
    shutil.copytree(submitted, out)
    shutil.copytree(tiny_folder() / "images", images)
    if with_notes:
        (out / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    calls = iter(range(99))

    def failing_now(call):
        def calling(*arguments, **options):
            if next(calls) == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*arguments, **options)

        return calling

    for module, name in ((os, "replace"), (os, "fsync"), (files, "exchange")):
        monkeypatch.setattr(module, name, failing_now(getattr(module, name)))
    failed = False
    try:
        submit(tiny_export("json", "float32"), images, out, progress=False, add_row=False)
    except RunError as error:
        failed = True
        assert str(out) in str(error)
    monkeypatch.undo()
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after.keys() == before.keys()
    if not failed:
        assert read_submission(out)["rows"] == LINES
    elif after != before and after["predicts.txt"] == before["predicts.txt"]:
        assert with_notes
        with pytest.raises(InputError, match="does not describe the predicts.txt beside it"):
            read_submission(out)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    submit(tiny_export("json", "float32"), images, out, progress=False, add_row=False)
    assert read_submission(out)["rows"] == LINES


def test_a_second_submission_into_one_folder_is_refused_and_the_first_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images, out = tiny_export("json", "float32"), tiny_folder() / "images", tmp_path / "submissions" / "s"

    def beside(*arguments):
        patch.undo()
        with pytest.raises(RunError, match=r"Another process is writing .*submissions/s now"):
            submit(model, images, out, progress=False)
        return predict_images(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(submission, "predict_images", beside)
        submit(model, images, out, progress=False)
    assert read_submission(out)["rows"] == LINES
    assert sorted(path.name for path in out.parent.iterdir()) == ["README.md", "s"]


@pytest.mark.parametrize("missing", ["predicts.txt", "manifest.json"])
def test_a_submission_of_one_file_is_told(missing: str, submitted: Path, tmp_path: Path) -> None:
    out = shutil.copytree(submitted, tmp_path / "out")
    (out / missing).unlink()
    with pytest.raises(InputError, match=rf"{missing} does not exist"):
        read_submission(out)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_odd_names_stay_on_their_lines_and_are_told_before_reading(tmp_path: Path, capsys) -> None:
    images = tmp_path / os.fsdecode("招牌".encode("gbk"))
    images.mkdir()
    for name in (b"a\tb.png", b"c\nd.png", b"\xff.png", "店.png".encode("gbk"), b"0.png"):
        shutil.copy(tiny_folder() / "images" / "0.png", os.path.join(os.fsencode(images), name))
    out = tmp_path / os.fsdecode("提|交".encode("gbk"))
    manifest = submit(tiny_export("json", "float32"), images, out, progress=False)
    rows = [line.split("\t") for line in (out / "predicts.txt").read_text(encoding="utf-8").splitlines()[1:]]
    assert sorted(name for name, _ in rows) == ["0.png", "\\xff.png", "a\\x09b.png", "c\\x0ad.png", "店.png"]
    assert manifest["name"] == "提|交" and manifest["images"]["path"].endswith("招牌")
    assert "3 names hold tabs, line ends" in capsys.readouterr().err


def test_a_bar_in_a_name_stays_in_its_cell(tmp_path: Path) -> None:
    manifest = {
        "name": "a|b",
        "written": "2026-01-01",
        "model": {"network": "n", "size_bytes": 1},
        "rows": 1,
        "empty": 0,
    }
    for _ in range(2):
        add_submission_row(tmp_path / "README.md", manifest)
    rows = [line for line in (tmp_path / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) == 3 and rows[2].startswith("| a&#124;b | 2026-01-01 | n |")


def test_a_table_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes("# 提交\n".encode("gbk"))
    with pytest.raises(InputError, match=r"README\.md is not a table of submissions"):
        add_submission_row(tmp_path / "README.md", {})


def rows_of(readme: Path) -> list[list[str]]:
    lines = readme.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def manifest_of(name: str, normalised: float | None = None, **more: float) -> dict:
    scores = None if normalised is None else {"raw": normalised, "normalised": {"value": normalised}}
    model = {"model_name": "n", "size_bytes": 1}
    return {"name": name, "written": "2026-01-01", "model": model, "rows": 1, "empty": 0, "scores": scores, **more}


def test_the_table_is_sorted_by_the_leaderboard_then_by_validation_then_by_name(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    for manifest in (
        *(manifest_of("unknown"), manifest_of("b10", 0.7), manifest_of("b9", 0.7), manifest_of("good", 0.8)),
        *(manifest_of("second", 0.6, leaderboard=83.1), manifest_of("first", leaderboard=84.25)),
    ):
        add_submission_row(readme, manifest)
    table = rows_of(readme)
    assert [row[0] for row in table[2:]] == ["first", "second", "good", "b9", "b10", "unknown"]
    assert [row[-1] for row in table[2:]] == ["84.25", "83.1", "–", "–", "–", "–"]
    add_submission_row(readme, manifest_of("good", 0.8, leaderboard=90.0))
    assert [row[0] for row in rows_of(readme)[2:4]] == ["good", "first"]


def test_a_table_of_an_earlier_version_gets_the_new_column_and_keeps_columns_of_the_users(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    columns = "| submission | written | network | model bytes | rows | empty | validation raw | validation normalised |"
    row = "| old | 2025-01-01 | n | 1 | 2 | 0 | 0.5 | 0.6 | a try |"
    readme.write_text(f"# Mine\n\n{columns} remark |\n|{'---|' * 9}\n{row}\n\nEnd.\n", encoding="utf-8")
    add_submission_row(readme, manifest_of("new", 0.7, leaderboard=80.0))
    assert rows_of(readme)[0][-2:] == ["leaderboard", "remark"]
    assert [row[-3:] for row in rows_of(readme)[2:]] == [["0.7000", "80", "–"], ["0.6", "–", "a try"]]
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# Mine\n\n|") and text.endswith("|\n\nEnd.\n")


def test_the_leaderboards_score_is_entered_kept_with_its_predictions_and_dropped_with_others(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, readme = own.parents[1] / "images", own.parent / "README.md"
    assert main(["submit", "--out", str(own), "--leaderboard", "84.2"]) == 0
    assert read_submission(own)["leaderboard"] == 84.2 and rows_of(readme)[2][-1] == "84.2"
    submit(tiny_export("json", "float32"), images, own, progress=False)
    assert read_submission(own)["leaderboard"] == 84.2 and rows_of(readme)[2][-1] == "84.2"
    (images / "3.png").unlink()
    submit(tiny_export("json", "float32"), images, own, progress=False)
    assert "leaderboard" not in read_submission(own) and rows_of(readme)[2][-1] == "–"
    assert "84.2 was that of other predictions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--leaderboard", "120"], "from 0 to 100"),
        (["--leaderboard", "nan"], "from 0 to 100"),
        (["--leaderboard", "good"], "--leaderboard"),
        (["--leaderboard", "80", "--model", "m"], "leave out --model and --images"),
        (["--images", "i"], "Give --model and --images"),
    ],
)
def test_a_score_that_is_none_or_stands_beside_a_model_is_told(
    arguments: list[str], told: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (own / "manifest.json").read_bytes()
    with pytest.raises(SystemExit) if "good" in arguments else nullcontext():
        assert main(["submit", "--out", str(own), *arguments]) == 2
    assert told in capsys.readouterr().err and (own / "manifest.json").read_bytes() == before


def test_a_score_for_a_submission_that_is_not_there_is_told(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "--out", str(own.parent / "none"), "--leaderboard", "80"]) == 2
    assert "There is no submission" in capsys.readouterr().err and not (own.parent / "none").exists()
    (own / "predicts.txt").write_text("new_name\tvalue\n", encoding="utf-8")
    assert main(["submit", "--out", str(own), "--leaderboard", "80"]) == 2
    assert "does not describe the predicts.txt beside it" in capsys.readouterr().err
