"""The loop over many pictures: order, sizes, problems, names of every kind, and what is passed over."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import tiny_config
from exported import LINES, tiny_export, tiny_folder
from PIL import Image

from scenetext.data.sources.images import open_images
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.predict.images import FunctionReader, predict_images, read_records
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.recognizer import Recognizer, predict_to_file
from scenetext.text.natural_order import natural_order
from scenetext.text.records import Record


@pytest.fixture(scope="module")
def folder() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def lines() -> list[np.ndarray]:
    images = tiny_folder() / "images"
    return [cv2.imread(str(images / name)) for name in natural_order(os.listdir(images))]


def test_predictions_tell_the_size_of_every_picture_once_decoded(folder: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    Image.new("RGB", (24, 90)).save(tmp_path / "1.jpg", exif=exif)
    Image.new("RGB", (60, 24)).save(tmp_path / "2.gif")
    (tmp_path / "3.png").write_bytes(b"")
    read = list(predict_images(Recognizer(folder), tmp_path, progress=False))
    assert [(p.width_px, p.height_px) for p in read] == [(90, 24), (60, 24), (0, 0)]
    assert [p.problem is None for p in read] == [True, True, False]


def test_labelled_lines_are_read_in_order_and_problems_name_the_label(folder: Path, tmp_path: Path, lines) -> None:
    for number, line in enumerate(lines[:5]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), line)
    records = [Record(f"{number}.png", "x", f"val.txt:{location}") for location, number in enumerate([4, 9, 0, 4], 1)]
    reader = Recognizer(folder)
    read = list(read_records(reader, records, open_images(tmp_path), progress=False))
    assert [(p.name, p.text) for p in read] == [
        ("4.png", reader([lines[4]])[0][0]), ("9.png", ""), ("0.png", reader([lines[0]])[0][0]),
        ("4.png", reader([lines[4]])[0][0]),
    ]  # fmt: skip
    assert "9.png cannot be read: No such file" in read[1].problem and "val.txt:2" in read[1].problem


def test_a_network_is_back_in_training_mode_once_its_lines_are_read(lines) -> None:
    model = build_model(tiny_config(tiny_folder()))
    reader = ModelReader(model, Canvas(32, 128))
    for mode in (model.train, model.eval):
        mode()
        training = model.training
        reader(lines[:2])
        modes = []
        for _ in predict_images(reader, tiny_folder() / "images", progress=False):
            modes.append(model.training)
        assert modes == [False] * LINES and model.training == training


def test_a_function_reads_as_a_reader_does(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "1.png").write_bytes(b"")
    reader = FunctionReader(lambda pictures: [(str(picture[0, 0, 0]), 0.5) for picture in pictures])
    done = []
    read = list(predict_images(reader, tmp_path, progress=False, on_lines=done.append))
    assert [(p.name, p.text) for p in read] == [("0.png", "0"), ("1.png", ""), ("2.png", "2")] and sum(done) == 3


def test_unreadable_pictures_do_not_stay_in_memory(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(bytes(1_000_000))
    tracemalloc.start()
    read = list(predict_images(FunctionReader(lambda pictures: []), tmp_path, progress=False))
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read) == 40 and kept_bytes < 10_000_000


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_and_files_passed_over_are_written_and_said(
    folder: Path, tmp_path: Path, capsys
) -> None:
    images = tmp_path / os.fsdecode("招牌".encode("gbk"))
    images.mkdir()
    picture_bytes = (tiny_folder() / "images" / "3.png").read_bytes()
    for name in ("招1.png".encode("gbk"), "图.png".encode(), b"a\tb.png", b"\xff.png", b"._1.png", b"labels.txt"):
        with open(os.path.join(os.fsencode(images), name), "wb") as file:
            file.write(picture_bytes)
    summary = predict_to_file(folder, images, tmp_path / "read.txt", progress=False)
    rows = [line.split("\t") for line in (tmp_path / "read.txt").read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == ["\\xff.png", "a\\x09b.png", "图.png", "招1.png"]
    assert len({tuple(row[1:]) for row in rows}) == 1 and summary.unreadable == ()
    said = capsys.readouterr().err
    assert "招牌: passed over: 1 junk file (._1.png), 1 file that is no picture (labels.txt)" in said


@pytest.mark.parametrize(
    ("images", "out", "told"),
    [
        ("images", "images", "images is a folder; give the name of a file to write"),
        ("train.txt", "read.txt", "train.txt is neither a zip nor a picture"),
        ("nothing", "read.txt", "nothing does not exist"),
        ("junk", "read.txt", r"There are no images in .*junk \(passed over: 1 junk file \(\.x\.jpg\)\)"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_sentence_and_leaves_nothing(
    images: str, out: str, told: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / ".x.jpg").write_bytes(b"x")
    cv2.imwrite(str(tmp_path / "images" / "0.png"), np.zeros((32, 60, 3), np.uint8))
    (tmp_path / "train.txt").write_text("0.png\ta\n")
    with pytest.raises(InputError, match=told):
        predict_to_file(folder, tmp_path / images, tmp_path / out, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "junk", "train.txt"]
