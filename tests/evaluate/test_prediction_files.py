"""Reading files of predictions: all forms say the same, and wrong rows are told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.errors import InputError
from scenetext.evaluate.matching import matched
from scenetext.evaluate.prediction_files import PredictionFile, read_predictions
from scenetext.text.records import Record

LOGGED = "[2024/01/02 03:04:05] ppocr INFO: "
NAMES, TEXTS = ["a/0.jpg", "1.jpg", "2.jpg"], ["停车 场", "", 'x "y", z']


@pytest.mark.parametrize(
    ("file", "content", "confidences"),
    [
        ("p.txt", 'a/0.jpg\t停车 场\n1.jpg\t\n2.jpg\tx "y", z\n', []),
        ("p.txt", 'a/0.jpg\t停车 场\t0.5\n1.jpg\t\t0.000000\n2.jpg\tx "y", z\t1.0\n', [0.5, 0.0, 1.0]),
        ("p.txt", 'a/0.jpg\t停车 场\t0.5\n1.jpg\t\tnan\n2.jpg\tx "y", z\t1.0001\n', [0.5, 0.0, 1.0]),  # PaddleOCR's
        ("predicts.txt", '\ufeffnew_name\tvalue\r\na/0.jpg\t停车 场\r\n1.jpg\t\r\n2.jpg\tx "y", z\r\n', []),
        ("p.txt", 'a/0.jpg\t停车 场\n1.jpg\t\n2.jpg\t"x ""y"", z"\n', []),  # as pandas' to_csv writes it
        ("p.csv", 'name,prediction,confidence\na/0.jpg,停车 场,0.5\n1.jpg,,0\n2.jpg,"x ""y"", z",1\n', [0.5, 0.0, 1.0]),
        ("p.csv", 'name,value\na/0.jpg,停车 场\n1.jpg,\n2.jpg,"x ""y"", z"\n', []),
        ("p.csv", 'name,confidence,text\na/0.jpg,,停车 场\n1.jpg,,\n2.jpg,,"x ""y"", z"\n', []),
        ("rec.log", "\n".join([
            "a warning that is not the logger's",
            f"{LOGGED}In PP-OCRv3, rec_image_shape parameter defaults to '3, 48, 320', ",
            f"{LOGGED}Predicts of a/0.jpg:('停车 场', 0.5)",
            f"{LOGGED}error in loading image:1.jpg",
            f"{LOGGED}Predicts of 2.jpg:('x \"y\", z', 1.0)",
        ]), [0.5, 0.0, 1.0]),
        ("rec.txt", f"{LOGGED}Predicts of a/0.jpg:('停车 场', 0.5)\n{LOGGED}Predicts of 1.jpg:('', nan)\n"
         f"{LOGGED}Predicts of 2.jpg:('x \"y\", z', 1)\n", [0.5, 0.0, 1.0]),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:p.txt. 1 labels stand in quotes")
def test_all_forms_say_the_same(file: str, content: str, confidences: list[float], tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(content.encode())
    read = read_predictions(tmp_path / file)
    assert (read.names, read.texts, list(read.confidences)) == (NAMES, TEXTS, confidences)


def test_the_csv_of_an_evaluation_brings_sizes_and_labels(tmp_path: Path) -> None:
    header = "name,target,prediction,confidence,correct_raw,correct_normalised,width_px,height_px"
    (tmp_path / "predictions.csv").write_text(f"{header}\n0.jpg,停车,停,0.9,0,0,120,48\n", encoding="utf-8")
    read = read_predictions(tmp_path / "predictions.csv")
    assert (read.targets, list(read.widths_px), list(read.heights_px)) == (["停车"], [120], [48])


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("p.txt", b"", r"p\.txt holds no prediction"),
        ("p.txt", b"\n\n", r"p\.txt holds no prediction"),
        ("p.txt", b"new_name\tvalue\n", r"p\.txt holds no prediction"),
        ("p.csv", b"", r"p\.csv:1 has no columns name and prediction \(found: nothing\)"),
        ("p.csv", b"name,label\n", r"p\.csv:1 has no columns name and prediction \(found: name, label\)"),
        ("p.txt", b"0.jpg\tA\n1.jpg\tB\n0.jpg\tC\n", r"p\.txt:3: 0\.jpg stands in line 1 already"),
        ("p.csv", b"name,value\n0.jpg,A\n0.jpg,A\n", r"p\.csv:3: 0\.jpg stands in line 2 already"),
        ("p.txt", b"0.jpg\tA\n1.jpg\n", r"p\.txt:2: '1\.jpg' has 1 columns, not 2 columns like the rows before"),
        ("p.txt", b"0.jpg A\n", r"p\.txt:1: '0\.jpg A' has 1 columns, not a name, a tab and a text"),
        ("p.txt", b"0.jpg\tA\t0.5\n1.jpg\tB\n", r"p\.txt:2: .* has 2 columns, not 3"),
        ("p.txt", b"0.jpg\tA\thigh\n", r"p\.txt:1: the confidence 'high' is no number from 0 to 1"),
        ("p.txt", b"0.jpg\tA\t97.5\n", r"p\.txt:1: the confidence '97\.5' is no number from 0 to 1"),
        ("p.txt", b"0.jpg\tA\tnan\n", r"p\.txt:1: the confidence 'nan' is no number"),  # only where nothing was read
        ("p.csv", b"name,value\n0.jpg,A,B\n", r"p\.csv:2 has 3 fields where the header has 2"),
        ("p.csv", b'name,value\n0.jpg,"A\n', r"p\.csv:2 is no row of a CSV"),
        ("p.csv", b"name,value,confidence\n0.jpg,A,\n1.jpg,B,0.5\n", r"p\.csv:3 has a confidence, but rows before"),
        ("p.csv", b"name,value,width_px,height_px\n0.jpg,A,wide,4\n", r"p\.csv:2: 'wide' is no number of pixels"),
        ("p.txt", b"\tA\n", r"p\.txt:1: '' is no name of a picture"),
        ("p.txt", b"0.jpg\t" + b"A" * 20_000 + b"\n", r"p\.txt:1: a text of 20,000 characters is no line of text"),
        ("p.txt", b"0.jpg\tA\0\n", r"p\.txt:1 holds a zero byte"),
        (
            "r.log",
            LOGGED.encode() + b"Predicts of 0.jpg:('A', 0.\n",
            r"r\.log:1: .* is no whole line of predict_rec's log",
        ),
        ("r.log", LOGGED.encode() + b"Predicts of 0.jpg:('A', nan)\n", r"r\.log:1: the confidence 'nan' is no number"),
        ("r.log", LOGGED.encode() + b"infer_img: 0.jpg\n", r"r\.log holds no prediction"),
    ],
)
def test_wrong_rows_are_told_with_their_line(file: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_predictions(tmp_path / file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt"):
        read_predictions(tmp_path / "none.txt")


LABELS = [Record(name, text, "val.txt:1") for name, text in (("x/0.jpg", "A"), ("x/1.jpg", "B"), ("x/2.jpg", "C"))]


def predictions(*names: str) -> PredictionFile:
    return PredictionFile(Path("p.txt"), list(names), [name[-5] for name in names], [0.5] * len(names))


def test_predictions_are_brought_into_the_order_of_the_labels() -> None:
    lines = matched(LABELS, predictions("x/2.jpg", "x/0.jpg", "x/1.jpg"))
    assert (lines.names, lines.targets, lines.texts) == (
        ["x/0.jpg", "x/1.jpg", "x/2.jpg"],
        ["A", "B", "C"],
        list("012"),
    )


def test_bare_names_are_found_where_no_whole_name_is_common() -> None:
    assert matched(LABELS, predictions("2.jpg", "0.jpg", "1.jpg")).texts == ["0", "1", "2"]
    with pytest.raises(InputError, match="no name is common"):  # which of both 0.jpg is meant cannot be known
        matched([*LABELS, Record("y/0.jpg", "D", "")], predictions("2.jpg", "0.jpg", "1.jpg"))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("x/0.jpg", "x/1.jpg"), r"1 of 3 labels have no prediction \(x/2\.jpg\)\. --unmatched leave-out"),
        (("x/0.jpg", "x/1.jpg", "x/2.jpg", "y.jpg"), r"1 of 4 predictions have no label \(y\.jpg\)"),
        (("a.jpg", "b.jpg"), r"3 of 3 labels have no .*2 of 2 predictions have no label \(a\.jpg, b\.jpg\); no name"),
    ],
)
def test_predictions_for_other_lines_are_named_counted_and_refused(names: tuple[str, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        matched(LABELS, predictions(*names), "refuse", "val.txt")


def test_on_request_other_lines_are_left_out_or_count_as_empty() -> None:
    read = predictions("x/2.jpg", "y.jpg", "x/0.jpg")
    assert matched(LABELS, read, "leave-out").texts == ["0", "2"]
    empty = matched(LABELS, read, "as-empty")
    assert (empty.texts, empty.confidences) == (["0", "", "2"], [0.5, 0.0, 0.5])
