"""PaddleOCR's output forms, line by line as its tools write and log them, lists of pictures, and a least confidence."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from exported import LINES, tiny_export, tiny_folder

from scenetext.errors import InputError
from scenetext.predict.choices import FORM_NAMES
from scenetext.predict.forms import FORMS, TabForm, picture_path
from scenetext.predict.images import Prediction, predict_images
from scenetext.predict.recognizer import Recognizer, predict_to_file

TIME = r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\] ppocr INFO: "


@pytest.fixture(scope="module")
def folder() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def read(folder: Path) -> dict[str, tuple[str, float]]:
    """Text and confidence by name."""
    images = tiny_folder() / "images"
    return {p.name: (p.text, p.confidence) for p in predict_images(Recognizer(folder), images, progress=False)}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three pictures, the second of which is none."""
    (tmp_path / "lines").mkdir()
    for name in ("0.png", "10.png"):
        shutil.copy(tiny_folder() / "images" / name, tmp_path / "lines")
    (tmp_path / "lines/2.png").write_bytes(b"no picture")
    return tmp_path / "lines"


def scenetext(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenetext", "predict", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done


def test_the_command_offers_the_forms_that_there_are() -> None:
    assert tuple(FORMS) == FORM_NAMES


def test_infer_rec_writes_paths_in_their_order_and_logs_each_result(
    folder: Path, images: Path, read: dict, tmp_path: Path
) -> None:
    done = scenetext(
        "--model", folder, "--images", "lines/", "--out", "out/rec.txt", "--form", "infer_rec", cwd=tmp_path
    )
    rows = [("lines/0.png", *read["0.png"]), ("lines/10.png", *read["10.png"]), ("lines/2.png", "", 0.0)]
    written = (tmp_path / "out/rec.txt").read_text(encoding="utf-8")
    assert written == "".join(f"{path}\t{text}\t{score}\n" for path, text, score in rows)
    log = [re.sub(f"^{TIME}", "", line) for line in done.stdout.splitlines()]
    told = [told for path, text, score in rows for told in (f"infer_img: {path}", f"\t result: {text}\t{score}")]
    assert log == [*told, "success!"]
    assert all(re.match(TIME, line) for line in done.stdout.splitlines())
    assert "2.png is no image" in done.stderr


def test_predict_rec_logs_tuples_and_its_file_is_the_log(
    folder: Path, images: Path, read: dict, tmp_path: Path
) -> None:
    done = scenetext("--model", folder, "--images", "lines", "--out", "rec.log", "--form", "predict_rec", cwd=tmp_path)
    log = [re.sub(f"^{TIME}", "", line) for line in done.stdout.splitlines()]
    assert log == [
        f"Predicts of lines/0.png:{read['0.png']}",
        f"Predicts of lines/10.png:{read['10.png']}",
        "error in loading image:lines/2.png",
    ]
    assert (tmp_path / "rec.log").read_text(encoding="utf-8") == done.stdout


@pytest.mark.parametrize("form", FORM_NAMES)
def test_a_picture_alone_has_the_path_that_was_given(folder: Path, images: Path, form: str, tmp_path: Path) -> None:
    done = scenetext("--model", folder, "--images", "lines/0.png", "--out", "o.txt", "--form", form, cwd=tmp_path)
    assert "lines/0.png" in done.stdout and "0.png/0.png" not in done.stdout


@pytest.mark.parametrize(
    ("images", "name", "path"),
    [
        ("lines", "1.png", "lines/1.png"),
        ("lines/", "1.png", "lines/1.png"),
        ("./lines", "a/1.png", "./lines/a/1.png"),  # as os.path.join gives it to PaddleOCR's tools
        ("test.zip", "1.png", "test.zip/1.png"),
    ],
)
def test_paths_are_joined_as_paddleocr_joins_them(images: str, name: str, path: str) -> None:
    assert picture_path(images, name) == path


@pytest.mark.parametrize("form", [TabForm(), *(cls("lines") for cls in FORMS.values())])
@pytest.mark.parametrize("prediction", [
    Prediction("1.png", "a'b\"c\\", 0.25),
    Prediction("1.png", "全角\u3000空", 1.0),
    Prediction("1.png", "\\n 'it\U0001f600\u200b\xad", 0.5),
    Prediction("1.png", "", 0.0, "no image"),
    Prediction("1.png", "", 0.5),
    Prediction("(1).png", "()", 1e-6),
])  # fmt: skip
def test_a_line_says_what_was_read_and_no_other_picture_takes_it(form, prediction: Prediction) -> None:
    row = form.row(prediction)
    assert form.read(prediction.name, row) == (prediction.text, pytest.approx(prediction.confidence, abs=1e-6))
    assert form.read("2.png", row) is None and form.read(prediction.name, row[: len(row) // 2]) is None


@pytest.mark.parametrize("pair", [
    "('a', 0.5), 1", "('a' + 'b', 0.5)", "(f'{1}', 0.5)", "('a', True)", "('a', 1.2.3)", "('a', nan)",
    "('a\\', 0.5)", "(a, 0.5)",
])  # fmt: skip
def test_a_line_of_predict_rec_that_it_would_not_write_is_no_line_of_it(pair: str) -> None:
    form = FORMS["predict_rec"]("lines")
    row = form.row(Prediction("1.png", "a", 0.5))
    assert form.read("1.png", row) == ("a", 0.5)
    assert form.read("1.png", row.replace("('a', 0.5)", pair)) is None


@pytest.mark.parametrize("form", FORM_NAMES)
def test_a_stopped_job_resumes_in_every_form(
    folder: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out = tiny_folder() / "images", tmp_path / "out.txt"
    monkeypatch.setattr("scenetext.predict.forms.log_start", lambda: "[2026/01/02 03:04:05] ppocr INFO: ")
    monkeypatch.setattr("scenetext.predict.images.LINES_PER_PIECE", 4)
    predict_to_file(folder, images, tmp_path / "whole.txt", form=form)

    def stopping(*arguments):
        for number, prediction in enumerate(predict_images(*arguments)):
            if number == 6:
                raise KeyboardInterrupt
            yield prediction

    with monkeypatch.context() as patch:
        patch.setattr("scenetext.predict.prediction_file.predict_images", stopping)
        with pytest.raises(KeyboardInterrupt):
            predict_to_file(folder, images, out, form=form)
    assert len((tmp_path / "out.txt.part").read_text(encoding="utf-8").splitlines()) == 6
    again: list[str] = []

    def noting(reader, source, names, progress):
        again.extend(names)
        return predict_images(reader, source, names, progress)

    monkeypatch.setattr("scenetext.predict.prediction_file.predict_images", noting)
    predict_to_file(folder, images, out, form=form)
    assert len(again) == LINES - 4  # from the start of the piece
    assert out.read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_list_chooses_the_pictures_and_missing_ones_are_named(
    folder: Path, images: Path, read: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("10.png\ta label\n\nnone.png\n0.png\r\n", encoding="utf-8")
    summary = predict_to_file(folder, images, tmp_path / "out.txt", names=tmp_path / "list.txt", progress=False)
    rows = [line.split("\t")[:2] for line in (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()]
    assert rows == [["10.png", read["10.png"][0]], ["none.png", ""], ["0.png", read["0.png"][0]]]
    assert [p.name for p in summary.unreadable] == ["none.png"]
    assert "does not have 1 of the 3 pictures that" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"), [("", "names no picture"), ("other/0.png\nx.png\n", "has none of the 2 pictures that")]
)
def test_a_list_of_nothing_that_is_there_is_refused(
    folder: Path, images: Path, text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=told):
        predict_to_file(folder, images, tmp_path / "out.txt", names=tmp_path / "list.txt")


def test_texts_below_the_least_confidence_are_left_out_and_counted(
    folder: Path, read: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out = tiny_folder() / "images", tmp_path / "out.txt"
    least = sorted(confidence for _, confidence in read.values())[LINES // 2]
    summary = predict_to_file(folder, images, out, min_confidence=least, progress=False)
    rows = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert {name: text for name, text, _ in rows} == {
        name: text if confidence >= least else "" for name, (text, confidence) in read.items()
    }
    assert all(float(confidence) > 0 for _, _, confidence in rows)  # the doubtful ones keep theirs
    assert (summary.withheld, summary.empty, summary.unreadable) == (LINES // 2, LINES // 2, ())

    monkeypatch.setattr("scenetext.system.resumable.ResumableLines.finish", lambda self: None)  # as if killed
    predict_to_file(folder, images, tmp_path / "again.txt", min_confidence=least, progress=False)
    monkeypatch.undo()
    summary = predict_to_file(folder, images, tmp_path / "again.txt", min_confidence=least, progress=False)
    assert summary.withheld == LINES // 2 and (tmp_path / "again.txt").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (dict(form="infer_req"), "The form 'infer_req' is unknown: the nearest is infer_rec"),
        (dict(min_confidence=1.5), "The least confidence 1.5 is no probability"),
        (dict(min_confidence=float("nan")), "is no probability"),
    ],
)
def test_wrong_options_are_told(folder: Path, options: dict, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        predict_to_file(folder, tiny_folder() / "images", tmp_path / "out.txt", **options)
