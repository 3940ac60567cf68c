"""The page of a comparison: the lines won and lost with their pictures, and what it says where there are none."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenetext.cli import main
from scenetext.report.run_files import read_run_evaluation

HOSTILE = "<img src=x onerror=alert(1)>"
LABELS = {"0.png": "ABC", "1.png": HOSTILE, "2.png": "烤 鱼", "3.png": "same"}
FIRST = {"0.png": "ABC", "1.png": "x", "2.png": "", "3.png": "SAME"}
SECOND = {"0.png": "ADC", "1.png": HOSTILE, "2.png": "烤 鱼", "3.png": "same"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three readings of four lines, and their pictures."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for name in LABELS:
        cv2.imwrite(f"pictures/{name}", np.full((20, 60, 3), 90, np.uint8))
    for file, texts in (("val.txt", LABELS), ("a.txt", FIRST), ("b.txt", SECOND), ("c.txt", FIRST)):
        Path(file).write_text("".join(f"{name}\t{text}\n" for name, text in texts.items()), encoding="utf-8")
    return tmp_path


def compared(*arguments: str) -> str:
    """The page that the command writes, its white space single."""
    assert main(["compare", "a.txt", *arguments, "--labels", "val.txt", "--out", "out"]) == 0
    return re.sub(r"\s+", " ", Path("out/comparison.html").read_text(encoding="utf-8"))


def test_the_page_shows_the_lines_won_and_lost_with_their_pictures(place: Path) -> None:
    page = compared("b.txt", "c.txt", "--images", "pictures")
    assert page.count("data:image/jpeg;base64,") == 3 and "gone" not in page.partition("<body>")[2]
    won, lost = page.index("Won: only b.txt is right"), page.index("Lost: only a.txt is right")
    assert won < page.index("1.png") < page.index("2.png") < lost < page.index("0.png")
    assert '<span class="replace">D</span>' in page[lost:] and '<span class="delete">␣</span>' in page[won:lost]
    assert "<img src=x" not in page and "&lt;img" in page
    assert "Is c.txt better than a.txt?" in page and page.count("None · 没有。") == 2
    assert len(set(re.findall(r'<h2 id="(\w+)"', page))) == 4
    assert "<script" not in page and "http" not in re.sub(r"http-equiv", "", page)


def test_without_pictures_the_page_asks_for_them(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = compared("b.txt")
    assert "The lines&#39; pictures are shown if --images says where they are." in page and "is gone" not in page
    assert main(["compare", "a.txt", "b.txt", "--labels", "val.txt"]) == 0
    assert "--out DIR lists the lines won and lost" in capsys.readouterr().out


def test_pictures_that_have_gone_are_told_once_and_a_wrong_folder_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("0.png", "2.png"):
        Path("pictures", name).unlink()
    page = compared("b.txt", "--images", "pictures")
    assert page.count("picture is gone") == 2 and page.count("data:image/jpeg") == 1
    assert capsys.readouterr().err.startswith("2 pictures of the report are not in pictures, the first:")
    assert main(["compare", "a.txt", "b.txt", "--labels", "val.txt", "--images", "pictrues", "--out", "other"]) == 2
    assert "pictrues does not exist" in capsys.readouterr().err and not Path("other").exists()


def test_more_lines_than_a_page_holds_are_counted(place: Path) -> None:
    names = [f"{number}.png" for number in range(70)]
    for file, text in (("val.txt", "A"), ("a.txt", "B"), ("b.txt", "A")):
        Path(file).write_text("".join(f"{name}\t{text}\n" for name in names), encoding="utf-8")
    page = compared("b.txt", "--images", "pictures")
    assert "10 more are in won.csv" in page and page.count('<div class="crop">') == 60


def test_the_pictures_of_a_run_are_found_without_images(own_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_run.parents[1])
    lines = read_run_evaluation(own_run / "evaluate").evaluation.lines
    Path("right.txt").write_text("".join(f"{line.name}\t{line.target}\n" for line in lines), encoding="utf-8")
    assert main(["compare", "own", "right.txt", "--out", "out"]) == 0
    page = Path("out/comparison.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == sum(not line.correct_normalised for line in lines) > 0
    assert "--images says where" not in page
