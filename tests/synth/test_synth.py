"""The drawn competition: layout, sizes, repeatable bytes, readable lines."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenetext.errors import InputError, RunError
from scenetext.synth import draw_competition, draw_line, draw_part, fonts, texts, words, write_line
from scenetext.synth.competition import WIDTHS
from scenetext.synth.letters import Lettering, choose_lettering, set_text

TRAIN, TEST = 40, 8
FILES = ["train_images.zip", "train_label.csv", "test_images.zip", "answers/test_label.csv"]


@pytest.fixture(scope="module")
def competition(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("competition")
    draw_competition(folder, train=TRAIN, test=TEST, seed=3)
    return folder


def read_labels(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("gb2312"), newline="")))


def read_images(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        data = {name: np.frombuffer(archive.read(name), np.uint8) for name in archive.namelist()}
    return {name: cv2.imdecode(value, cv2.IMREAD_COLOR) for name, value in data.items()}


@pytest.mark.parametrize(
    ("part", "labels", "count"),
    [("train", "train_label.csv", TRAIN), ("test", "answers/test_label.csv", TEST)],
)
def test_every_label_has_a_48_pixels_high_image_and_every_image_a_label(competition, part, labels, count):
    rows = read_labels(competition / labels)
    images = read_images(competition / f"{part}_images.zip")
    assert list(rows[0]) == ["name", "value"]
    assert [row["name"] for row in rows] == [f"{index}.jpg" for index in range(count)]
    assert list(images) == [f"{part}_images/{row['name']}" for row in rows]
    assert {image.shape[0] for image in images.values()} == {48}
    assert {image.dtype for image in images.values()} == {np.dtype(np.uint8)}
    assert all(row["value"].strip() == row["value"] != "" for row in rows)


def test_nothing_but_the_four_files_is_written(competition):
    found = [str(path.relative_to(competition)) for path in competition.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(FILES)


def test_same_seed_gives_the_same_bytes_in_other_processes(competition, root, tmp_path):
    code = (
        f"from scenetext.synth import draw_competition as d; "
        f"d({str(tmp_path)!r}, train={TRAIN}, test={TEST}, seed=3, workers=2)"
    )
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (competition / name).read_bytes(), name


def test_a_longer_part_begins_with_the_shorter_one_and_the_parts_differ():
    short, long, other = (
        list(draw_part("train", 3, 9)),
        list(draw_part("train", 6, 9)),
        list(draw_part("test", 3, 9)),
    )
    for (text, image), (same_text, same_image) in zip(short, long, strict=False):
        assert text == same_text
        assert np.array_equal(image, same_image)
    assert [text for text, _ in short] != [text for text, _ in other]


def test_another_seed_changes_texts_and_pixels():
    assert [text for text, _ in draw_part("train", 8, 1)] != [text for text, _ in draw_part("train", 8, 2)]
    first, second = (draw_line("福建餐饮", np.random.default_rng(seed), 200) for seed in (1, 2))
    assert first.shape == second.shape
    assert np.abs(first.astype(int) - second).mean() > 5


def test_a_line_does_not_depend_on_the_lines_drawn_before_it():
    alone = draw_line("Coffee 咖啡 38元", np.random.default_rng(4))
    for seed in range(12):  # other faces and weights
        draw_line("营业时间Abc", np.random.default_rng(seed))
    assert np.array_equal(alone, draw_line("Coffee 咖啡 38元", np.random.default_rng(4)))


def test_widths_follow_the_real_percentiles():
    widths = [image.shape[1] for _, image in draw_part("train", 300, 0)]
    for quantile, expected in ((0.1, 46), (0.25, 73), (0.5, 129), (0.75, 214), (0.9, 331), (0.95, 427)):
        assert np.quantile(widths, quantile) == pytest.approx(expected, rel=0.08), quantile
    assert np.mean(widths) == pytest.approx(166, rel=0.08)
    assert WIDTHS[0][1] / 1.7 <= min(widths) and max(widths) <= WIDTHS[-1][1]


@pytest.mark.parametrize(
    ("text", "narrowest", "widest"),
    [
        ("7", 12, 60),  # a digit
        ("-", 8, 90),  # almost no ink
        ("一", 12, 120),  # a flat character
        ("鑫源超市", 110, 330),
        ("ＡＢ１２", 90, 380),  # full-width forms take a square each
        ("Hi　你好", 90, 420),  # U+3000 inside
    ],
)
def test_natural_width_fits_the_text(text, narrowest, widest):
    for seed in range(6):
        height, width, channels = draw_line(text, np.random.default_rng(seed)).shape
        assert (height, channels) == (48, 3)
        assert narrowest <= width <= widest


def test_the_wanted_width_is_kept_within_limits_of_spacing_and_stretching():
    assert draw_line("有限公司", np.random.default_rng(0), 190).shape[1] == 190
    assert draw_line("有限公司", np.random.default_rng(0), 20).shape[1] > 50
    assert draw_line("司", np.random.default_rng(0), 900).shape[1] < 150


@pytest.mark.parametrize("text", ["", "口\U0001f600"])  # nothing; a character that no font has
def test_a_text_that_cannot_be_drawn_is_an_input_error(text):
    with pytest.raises(InputError, match="cannot be drawn"):
        draw_line(text, np.random.default_rng(0))


def test_lettering_never_loses_the_ink():
    rng = np.random.default_rng(5)
    for text in ("福", "营业时间：8:30-21:00", "l", ".", "Sale", "￥38", "　"):
        for _ in range(15):
            lettering = choose_lettering(text, rng)
            letters = set_text(text, lettering, rng)
            smooth = replace(lettering, brush=0.0, rounding_px=0.0, swell_px=0, dots_px=0)
            plain = set_text(text, smooth, rng).mask.sum()
            assert letters.mask.sum() >= 0.3 * plain, "the strokes are too thin"
            left, top, right, bottom = letters.box
            inside = letters.mask[top:bottom, left:right].sum()
            assert right > left and bottom > top
            assert inside >= 0.9 * letters.mask.sum()
            assert letters.mask[0].max() == letters.mask[:, 0].max() == 0, "ink at the canvas border is cut off"
            assert text.isspace() or inside > 5


@pytest.mark.parametrize("ems", [0.3, 0.6, 1, 2, 4, 8, 15, 30])
def test_invented_lines_have_about_the_wanted_length_and_fit_gb2312(ems):
    rng = np.random.default_rng(6)
    lines = [write_line(rng, ems) for _ in range(60)]
    assert all(line and texts.fits_gb2312(line) and not fonts.lacking("hei", line) for line in lines)
    assert np.median([texts.width_em(line) for line in lines]) == pytest.approx(ems, rel=0.25, abs=0.45)
    assert max(map(len, lines)) <= 80
    assert len(set(lines)) > 20 or ems < 1


def test_full_width_forms_stand_beside_half_width_ones():
    lines = [text for text, _ in ((write_line(np.random.default_rng(seed), 5), 0) for seed in range(600))]
    joined = "".join(lines)
    assert any("０" <= character <= "９" for character in joined)
    assert any("0" <= character <= "9" for character in joined)
    assert any("Ａ" <= character <= "ｚ" for character in joined)
    assert texts.full_width("A1 ~") == "Ａ１\u3000～"


def test_every_word_of_the_lists_fits_gb2312():
    lists = {name: value for name, value in vars(words).items() if name.isupper()}
    assert len(lists) >= 12
    assert [word for value in lists.values() for word in value if not texts.fits_gb2312(word)] == []


def test_every_face_is_installed_and_has_what_it_is_used_for():
    ascii_text = "".join(map(chr, range(0x21, 0x7F)))
    hanzi = [bytes((row, column)) for row in range(0xB0, 0xF8) for column in range(0xA1, 0xFF)]
    hanzi = "".join(pair.decode("gb2312", errors="ignore") for pair in hanzi)
    assert len(hanzi) == 6763
    for name, face in fonts.FACES.items():
        assert fonts.lacking(name, ascii_text + (hanzi if face.chinese else "")) == [], name


def test_mainland_forms_are_drawn_not_japanese_ones():
    # 直 has another form on the mainland than in Japan; 中 has the same form.
    import PIL.ImageFont

    path = fonts.package_file("indico_fonts", fonts.FACES["hei"].file)
    japanese = PIL.ImageFont.truetype(str(path), fonts.EM_PX, layout_engine=PIL.ImageFont.Layout.BASIC)
    japanese.set_variation_by_axes([500])
    chinese = fonts.load_font("hei", 500)
    assert bytes(chinese.getmask("直")) != bytes(japanese.getmask("直"))
    assert bytes(chinese.getmask("中")) == bytes(japanese.getmask("中"))


def test_heavier_weights_have_more_ink():
    ink = [
        set_text("福建", Lettering(weight=weight), np.random.default_rng(0)).mask.sum() for weight in (300, 500, 900)
    ]
    assert ink[0] < 0.9 * ink[1] < 0.8 * ink[2]


def test_the_font_for_plots_is_static_and_has_chinese():
    from fontTools.ttLib import TTFont

    with TTFont(fonts.cjk_font_path(), lazy=True) as font:
        assert "fvar" not in font
        assert {ord(character) for character in "宽度像素准确率"} <= set(font.getBestCmap())


def test_a_missing_font_package_is_named():
    with pytest.raises(RunError, match="no_such_fonts"):
        fonts.package_file("no_such_fonts", "a.ttf")


@pytest.mark.parametrize("arguments", [{"train": 0}, {"test": 0}, {"seed": -1}, {"workers": 0}])
def test_impossible_counts_and_seeds_are_refused_before_anything_is_written(arguments, tmp_path):
    with pytest.raises(InputError, match=next(iter(arguments))):
        draw_competition(tmp_path / "out", **{"train": 1, "test": 1, **arguments})
    assert not (tmp_path / "out").exists()


def test_an_unknown_part_is_refused():
    with pytest.raises(InputError, match="valid"):
        next(draw_part("valid", 1, 0))


def test_a_pretrained_network_reads_most_lines_and_not_all(root):
    """Drawn lines are useful only if they are neither unreadable nor trivial; on the full set the accuracy is 0.8."""
    onnxruntime = pytest.importorskip("onnxruntime")
    rapidocr = pytest.importorskip("rapidocr")
    path = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_rec_small.onnx"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    characters = ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]
    lines = list(draw_part("train", 100, 0))
    right = 0
    for text, image in lines:
        pixels = ((image.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
        best = session.run(None, {"x": pixels})[0][0].argmax(-1)
        kept = best[np.concatenate([[True], best[1:] != best[:-1]])]
        right += text == "".join(characters[index] for index in kept)
    assert 0.6 < right / len(lines) < 0.92


def test_the_training_lines_have_nearly_every_character_of_the_test_lines():
    # The texts alone, as draw_part makes them: a charset of the training labels must spell the test lines.
    lengths = np.random.default_rng(0).lognormal(1.0, 0.8, 2300).clip(0.4, 25)
    lines = [write_line(np.random.default_rng((7, index)), ems) for index, ems in enumerate(lengths)]
    known = set("".join(lines[:2000]))
    assert np.mean([known.issuperset(line) for line in lines[2000:]]) > 0.95
