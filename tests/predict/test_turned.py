"""Lines that are also read turned: which reading is kept, what it costs, and that two options' lines do not mix."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_export, tiny_folder

from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.evaluate.turned_gain import turned_gain
from scenetext.predict.decoding_settings import GREEDY
from scenetext.predict.line_reader import LineReader
from scenetext.predict.recognizer import Recognizer, predict_to_file
from scenetext.predict.turned import sideways, surest
from scenetext.text.charset import Charset
from scenetext.text.records import Record

CHARSET = Charset(tuple("urdl"))  # what BrightCorner reads: which corner is bright
UPRIGHT, TURNED = ("up", 0.5), [("one", 0.6), ("two", 0.7)]


class BrightCorner:
    """Reads the bright side of a line: left is l, right r, each with the confidence that its brightness says."""

    def __init__(self, workers: int = 1):
        self.workers = workers
        self.lines = 0

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.lines += len(batch)
        left, right = batch[:, :, :, :4].mean((1, 2, 3)), batch[:, :, :, -4:].mean((1, 2, 3))
        scores = np.zeros((len(batch), 1, 5), np.float32)
        for row, one, other in zip(scores[:, 0], left, right, strict=True):
            row["urdl".index("l" if one > other else "r") + 1] = 0.95 if one > other else 0.4
        return scores


def line(bright: str, width: int = 32, height: int = 48) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    side = {"left": np.s_[:, : width // 4], "right": np.s_[:, -(width // 4) :], "top": np.s_[: height // 4]}
    side["bottom"] = np.s_[-(height // 4) :]
    image[side[bright]] = 255
    return image


def reader(turned: float | None, workers: int = 1) -> LineReader:
    return LineReader(BrightCorner(workers), CHARSET, Canvas(48, 32), turned=turned)


@pytest.mark.parametrize(
    ("margin", "kept"),
    [(0.0, "two"), (0.15, "two"), (0.19, "two"), (0.25, "up"), (1.0, "up")],
)
def test_the_surest_turned_reading_is_kept_if_it_is_surer_by_more_than_the_margin(margin: float, kept: str) -> None:
    assert surest(UPRIGHT, TURNED, margin)[0] == kept


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("turned", "read"),
    [
        (None, ["l", "r", "l", "r"]),
        (0.15, ["l", "l", "l", "l"]),  # the right one upside down is a left one, which is surer by 0.55
        (0.6, ["l", "r", "l", "r"]),
    ],
)
def test_an_upside_down_line_is_read_turned(workers: int, turned: float | None, read: list[str]) -> None:
    lines = [line("left"), line("right"), line("left", 40), line("right", 32, 30)]
    assert [text for text, _ in reader(turned, workers)(lines)] == read


def test_only_tall_lines_are_read_on_their_sides() -> None:
    assert len(sideways(line("top", 32, 49))) == 2
    assert sideways(line("top", 32, 48)) == ()
    clockwise, counter = sideways(line("bottom", 32, 64))  # its bottom goes to the left, and to the right
    assert clockwise[:, 0].all() and counter[:, -1].all()
    assert reader(0.15)([line("bottom", 20, 60)])[0] == ("l", pytest.approx(0.95))


def test_lines_that_no_turned_reading_can_beat_are_read_once() -> None:
    one = reader(0.15)
    one([line("left")] * 6 + [line("right")])
    assert one.engine.lines == 7 + 1


@pytest.mark.parametrize("margin", [-0.1, 1.01, float("nan")])
def test_a_margin_that_is_no_difference_of_confidences_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        reader(margin)


def test_a_half_read_file_of_another_margin_is_not_resumed(tmp_path: Path) -> None:
    folder, images, out = tiny_export("json", "float32"), tiny_folder() / "images", tmp_path / "out.txt"
    predict_to_file(folder, images, out, progress=False, turned=0.0)
    whole = out.read_text(encoding="utf-8")
    predict_to_file(folder, images, out, progress=False)
    upright = out.read_text(encoding="utf-8")
    assert upright != whole  # this random network is not sure of anything
    origins = {}
    for turned in (None, 0.0):
        stopped = tmp_path / f"{turned}.txt"
        with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
            patch.setattr("scenetext.system.resumable.ResumableLines.finish", _interrupt)
            predict_to_file(folder, images, stopped, progress=False, turned=turned)
        origins[turned] = json.loads((tmp_path / f"{turned}.txt.part.json").read_text(encoding="utf-8"))
    assert origins[None]["turned"] is None and origins[0.0]["turned"] == 0.0
    assert origins[None]["decoding"] == origins[0.0]["decoding"] == GREEDY.facts
    stopped = tmp_path / "None.txt"
    predict_to_file(folder, images, stopped, progress=False, turned=0.0)
    assert stopped.read_text(encoding="utf-8") == whole


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_gain_is_told_by_comparing_the_same_lines(tmp_path: Path) -> None:
    for name, side in (("a.png", "left"), ("b.png", "right"), ("c.png", "right")):
        cv2.imwrite(str(tmp_path / name), line(side))
    records = [Record(name, "l", name) for name in ("a.png", "b.png", "c.png")]
    gain = turned_gain(reader, records, tmp_path, progress=False)
    assert (
        gain.gains
        and (gain.read_again, gain.kept) == (2, 2)
        and len(gain.comparison.won) == 2
        and not gain.comparison.lost
    )
    assert not turned_gain(reader, records, tmp_path, 0.9, progress=False).gains


def test_the_commands_take_the_margin(tmp_path: Path) -> None:
    folder, images = tiny_export("json", "float32"), tiny_folder() / "images"
    command = [sys.executable, "-m", "scenetext"]
    source = ["--model", folder, "--images", images]
    read = [*command, "predict", *source, "--turned", "0", "--out", tmp_path / "out.txt"]
    subprocess.run(read, check=True, capture_output=True)
    expected = Recognizer(folder, turned=0.0)([cv2.imread(str(images / name)) for name in _names(tmp_path / "out.txt")])
    assert [row.split("\t")[1] for row in _rows(tmp_path / "out.txt")] == [text for text, _ in expected]
    submit = [*command, "submit", *source, "--turned", "--out", tmp_path / "sub"]
    subprocess.run(submit, check=True, capture_output=True)
    assert json.loads((tmp_path / "sub" / "manifest.json").read_text())["model"]["turned"] == 0.15
    wrong = subprocess.run([*read[:-1], tmp_path / "no.txt", "--turned", "2"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "from 0 to 1" in wrong.stderr


def _rows(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _names(path: Path) -> list[str]:
    return [row.split("\t")[0] for row in _rows(path)]
