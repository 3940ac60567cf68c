"""Lines of given texts: folder and LMDB, repeatable whatever the processes, and texts that no font can draw."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import draw_digits, tiny_config
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from scenetext.config import load_config
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.synth import draw_lines
from scenetext.synth.lines import undrawable
from scenetext.text.label_files import read_label_file
from scenetext.train.recognition import RecognitionTask

TEXTS = ["欢迎光临", "®￥12", "Coffee", "烤 冷面"]


def written(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lines") / "out"
    drawn = draw_lines([*TEXTS, "ʘʘ"], out, 10, seed=2, workers=1, progress=False)
    assert (drawn.lines, drawn.texts) == (10, 4)
    assert drawn.left_out == {"ʘʘ": "no font has ʘ"}
    return out


def test_a_folder_has_a_picture_48_pixels_high_for_every_label_and_each_text_equally_often(folder: Path) -> None:
    table = read_label_file(folder / "labels.txt")
    assert list(table.names) == [f"{n}.jpg" for n in range(10)]
    assert sorted(os.listdir(folder / "images")) == sorted(table.names)
    assert sorted(Counter(record.text for record in table).values()) == [2, 2, 3, 3]
    shapes = [cv2.imread(str(folder / "images" / name)).shape for name in table.names]
    assert {height for height, _, _ in shapes} == {48} and len({width for _, width, _ in shapes}) > 3
    assert (folder / "left_out.txt").read_text(encoding="utf-8") == "ʘʘ\tno font has ʘ\n"


def test_neither_processes_nor_more_lines_change_a_picture(folder: Path, tmp_path: Path) -> None:
    draw_lines([*TEXTS, "ʘʘ"], tmp_path / "two", 10, seed=2, workers=2, progress=False)
    assert written(tmp_path / "two") == written(folder)
    draw_lines(TEXTS, tmp_path / "more", 12, seed=2, workers=1, progress=False)
    more = written(tmp_path / "more")
    assert all(more[name] == data for name, data in written(folder).items() if name.endswith(".jpg"))
    draw_lines(TEXTS, tmp_path / "more", 12, seed=3, workers=1, progress=False)  # replaces its own
    assert written(tmp_path / "more") != more


def test_an_lmdb_holds_the_same_lines_in_paddleocrs_keys(folder: Path, tmp_path: Path) -> None:
    import lmdb

    out = tmp_path / "out.lmdb"
    draw_lines([*TEXTS, "ʘʘ"], out, 10, seed=2, workers=1, progress=False)
    with lmdb.open(str(out), readonly=True, lock=False) as environment, environment.begin() as transaction:
        found = {bytes(key): bytes(value) for key, value in transaction.cursor()}
    table = read_label_file(folder / "labels.txt")
    assert found.pop(b"num-samples") == b"10"
    assert found == {
        **{f"image-{n + 1:09d}".encode(): (folder / "images" / f"{n}.jpg").read_bytes() for n in range(10)},
        **{f"label-{n + 1:09d}".encode(): record.text.encode() for n, record in enumerate(table)},
    }
    assert len(Lmdbs(out).names()) == 10


def square_font(path: Path, characters: str, empty: str = "") -> Path:
    """A font whose glyphs are squares; those of `empty` draw nothing."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    square, nothing = pen.glyph(), TTGlyphPen(None).glyph()
    names = [".notdef", *(f"u{ord(c):04X}" for c in characters + empty)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):04X}" for c in characters + empty})
    builder.setupGlyf({name: nothing if name in names[1 + len(characters) :] else square for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def test_given_fonts_draw_what_they_have_and_the_rest_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    square_font(tmp_path / "fonts" / "one.ttf", "ab", empty="c")
    square_font(tmp_path / "fonts" / "two.ttf", "bd")
    drawn = draw_lines(
        ["ab", "bd", "ad", "ac"], tmp_path / "out", 4, fonts=[tmp_path / "fonts"], workers=1, progress=False
    )
    assert drawn.texts == 2
    assert drawn.left_out == {"ad": "no font has d", "ac": "no font has c"}


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "blank"), (" \u3000", "blank"), ("a\x07", "control"), ("好" * 80, "too long"), ("好" * 60, None)],
)
def test_a_text_that_makes_no_line_is_told_apart(text: str, why: str | None) -> None:
    assert (why in undrawable([text])[text]) if why else undrawable([text]) == {}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"lines": 0}, "lines=0"),
        ({"seed": -1}, "seed=-1"),
        ({"texts": ["ʘ"]}, r"Not one of 1 texts.*'ʘ' \(no font has ʘ\)"),
        ({"fonts": ["nowhere.ttf"]}, "nowhere.ttf"),
        ({"fonts": [__file__]}, "not a font|cannot be read as a font"),
    ],
)
def test_what_cannot_be_drawn_leaves_nothing(tmp_path: Path, changed: dict, match: str) -> None:
    given = {"texts": ["好"], "lines": 2, "workers": 1, "progress": False, **changed}
    with pytest.raises(InputError, match=match):
        draw_lines(out=tmp_path / "out", **given)
    assert os.listdir(tmp_path) == []


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("")
    with pytest.raises(InputError, match="other things"):
        draw_lines(["好"], tmp_path, 1, workers=1, progress=False)
    assert os.listdir(tmp_path) == ["thesis.doc"]


def test_the_command_reads_texts_and_label_files(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("好吃\r\n\r\nʘ\n", encoding="utf-8")
    (tmp_path / "labels.txt").write_text("1.jpg\t小心地滑\n", encoding="utf-8")
    arguments = ["--texts", tmp_path / "texts.txt", tmp_path / "labels.txt", "--out", tmp_path / "out", "--lines", "4"]
    command = [sys.executable, "-m", "scenetext", "synth", *arguments]
    done = subprocess.run([*command, "--workers", "1"], capture_output=True, text=True, check=True)
    assert "4 lines of 2 texts" in done.stdout and "ʘ: no font has ʘ" in done.stderr
    assert {record.text for record in read_label_file(tmp_path / "out" / "labels.txt")} == {"好吃", "小心地滑"}
    (tmp_path / "texts.txt").write_text("好吃\n1.jpg\t好\n", encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "texts.txt:2 holds a tab" in done.stderr


def test_the_drawn_ink_is_of_the_given_font(tmp_path: Path) -> None:
    font = square_font(tmp_path / "one.ttf", "a")
    draw_lines(["aaa"], tmp_path / "out", 1, fonts=[font], workers=1, progress=False)
    assert np.ptp(cv2.imread(str(tmp_path / "out" / "images" / "0.jpg"))) > 20


def test_drawn_lines_are_mixed_with_labelled_ones_by_configuration_alone(folder: Path, tmp_path: Path) -> None:
    draw_lines(TEXTS, tmp_path / "drawn.lmdb", 4, workers=1, progress=False)
    labelled = draw_digits(tmp_path / "digits", 6)
    (labelled / "charset.txt").write_text("".join(f"{c}\n" for c in sorted(set("0123456789".join(TEXTS)))))
    ways = [
        {"data_dir": str(tmp_path / "drawn.lmdb"), "ratio": 0.5},
        {"data_dir": str(folder / "images"), "label_file_list": [str(folder / "labels.txt")], "ratio": 0.5},
    ]
    for way, drawn in zip(ways, (4, 10), strict=True):
        config = load_config({**tiny_config(labelled)}, [f"Train.replay={[{'LabelledLines': way}]!r}"])
        task = RecognitionTask(config, build_model(config), progress=False)
        assert len(task.samples) == 6 + drawn and sum(len(plan.indices) for plan in task.sampler.plan(0)) == 6 + 3
