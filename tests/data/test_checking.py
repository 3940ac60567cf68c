"""Checking the pictures of a whole set before they are used: what is found, in which stores, and what is said."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_sources import as_lmdb

from scenetext.config import load_config
from scenetext.data.checking import check_pictures
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import evaluation_lines
from scenetext.data.sources.images import open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.records import Record, RecordTable

FORMS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "gif": "GIF", "tif": "TIFF"}


def picture(form: str, width=60, height=24, **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, form, **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


def header_of(width: int, height: int) -> bytes:
    """A PNG of a header and an end."""
    data = picture("PNG")
    header = data[12:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
    return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[-12:]


BAD = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": (b"<html>404</html>", "is no image that can be read"),
    **{f"cut.{end}": (picture(form)[:-40], "is (a truncated|no) image") for end, form in FORMS.items()},
    **{f"half.{end}": (picture(form)[:700], "is (a truncated|no) image") for end, form in FORMS.items()},
    "torn.jpg": (picture("JPEG")[:-1], "is a truncated image"),
    "torn.png": (picture("PNG")[:-9], "is a truncated image"),
    "header.png": (picture("PNG")[:20], "is a truncated image"),
    "damaged.png": (picture("PNG").replace(b"IDAT", b"IDAU", 1), r"is a damaged image \(a checksum in it is wrong\)"),
    "large.png": (header_of(32_000, 32_000), "has 32000 x 32000 pixels; a picture may have 50,000,000"),
}
STORES = ["folder", "zip", "LMDB"]


def stored(folder: Path, pictures: dict[str, bytes], kind: str) -> tuple[Path, list[Record]]:
    """The pictures in a folder, zip or LMDB, and a labelled line for each."""
    records = [Record(name, "a", f"val.txt:{line}") for line, name in enumerate(pictures, 1)]
    if kind == "zip":
        with zipfile.ZipFile(folder / "images.zip", "w") as archive:
            for name, data in pictures.items():
                archive.writestr(name, data)
        return folder / "images.zip", records
    if kind == "LMDB":
        as_lmdb(folder / "lmdb", [(data, b"a") for data in pictures.values()])
        return folder / "lmdb", [Record(f"{line:09d}", "a", f"val.txt:{line}") for line in range(1, len(records) + 1)]
    (folder / "images").mkdir()
    for name, data in pictures.items():
        (folder / "images" / name).write_bytes(data)
    return folder / "images", records


@pytest.mark.parametrize("kind", STORES)
def test_sizes_are_those_of_the_decoded_pictures(kind, tmp_path):
    good = {f"{number}.{end}": picture(form, 40 + number) for number, (end, form) in enumerate(FORMS.items())}
    path, records = stored(tmp_path, good | {"turned.jpg": turned()}, kind)
    images = open_images(path)
    sizes = check_pictures(images, RecordTable.of(records * 100), progress=False)
    decoded = [decode_image(images.read(record.name), "x").shape[1::-1] for record in records]
    assert sizes.tolist() == [list(size) for size in decoded] * 100


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_cannot_be_used_is_named_with_its_label(name, kind, tmp_path):
    data, told = BAD[name]
    path, records = stored(tmp_path, {"0.jpg": picture("JPEG"), name: data, "1.jpg": picture("JPEG")}, kind)
    with pytest.raises(
        InputError, match=f"^1 of the 3 pictures of the validation set cannot be used: .*{told}"
    ) as error:
        check_pictures(open_images(path), records, "the validation set", progress=False)
    assert "(its label: val.txt:2)" in str(error.value) and str(path) in str(error.value)


def test_missing_pictures_are_counted_and_the_first_ones_named(tmp_path):
    path, _ = stored(tmp_path, {"0.jpg": picture("JPEG")}, "folder")
    records = [Record(f"{number}.jpg", "a", f"val.txt:{number}") for number in range(1000)]
    with pytest.raises(InputError, match="^999 of the 1000 pictures of the set cannot be used: ") as error:
        check_pictures(open_images(path), records, progress=False)
    assert str(error.value).count("its label") == 5 and "(its label: val.txt:5); …: put whole" in str(error.value)


def test_a_training_set_is_checked_once_and_its_widths_come_from_the_same_pass(tmp_path, monkeypatch):
    path, records = stored(tmp_path, {"0.jpg": picture("JPEG", 120, 24), "1.png": picture("PNG", 9, 2000)}, "folder")
    images = open_images(path)
    read, names = images.read, []
    monkeypatch.setattr(images, "read", lambda name: names.append(name) or read(name))
    lines = Lines(records, images, Charset(("a",)), 48, 320)
    lines.check_pictures()
    assert lines.widths_px().tolist() == [240, 1] and lines.widths_px().dtype == np.int64
    assert sorted(names) == ["0.jpg", "1.png"]


def test_widths_of_the_widest_pictures_are_right(tmp_path):
    path, records = stored(tmp_path, {"0.png": header_of(50_000_000, 1)}, "folder")
    assert Lines(records, open_images(path), Charset(("a",)), 48, 10**10).widths_px().tolist() == [2_400_000_000]


EMPTY = [
    ({"label_file_list": ["val.txt"]}, r"Eval\.dataset\.label_file_list: val.txt holds no line; .*--val 0"),
    ({"label_file_list": ["val.txt", "val.txt"]}, "val.txt, val.txt holds no line"),
    ({"label_file_list": ["one.txt"], "ratio_list": 0.2}, "ratio_list is 0.2 and leaves none of the 1 lines: raise"),
    ({"label_file_list": ["one.txt"], "ratio_list": [0.2]}, r"ratio_list is \[0.2\] and leaves none of the 1 lines"),
    ({"name": "LMDBDataSet", "data_dir": "lmdb"}, "lmdb holds no line: num-samples is 0"),
    ({"name": "LMDBDataSet", "data_dir": "gone"}, "The folder gone does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "told"), EMPTY)
def test_a_set_without_a_line_says_why_it_has_none(dataset, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "val.txt").write_text("")
    (tmp_path / "one.txt").write_text("0.jpg\ta\n")
    as_lmdb(tmp_path / "lmdb", [], b"0")
    config = load_config({"Eval": {"dataset": {"name": "SimpleDataSet", "data_dir": ".", **dataset}}})
    with pytest.raises(InputError, match=told):
        evaluation_lines(config)


LEFT = [
    (["abcd", "abce"], {"longest_label": 3}, "2 labels are longer than 3 characters. Raise Global.max_text_length"),
    (["x", "y"], {"drops_unknown": True}, "the dictionary has no character of the other 2"),
    (["abcd", "x"], {"drops_unknown": True, "longest_label": 3}, "1 labels are longer than 3 characters and the "),
    ([], {}, "There are no labelled lines"),
]  # fmt: skip


@pytest.mark.parametrize(("labels", "options", "told"), LEFT)
def test_a_training_set_of_which_nothing_is_left_says_why(labels, options, told, tmp_path):
    records = [Record(f"{number}.jpg", label, "t.txt:1") for number, label in enumerate(labels)]
    with pytest.raises(InputError, match=told):
        Lines(records, open_images(tmp_path), Charset(tuple("abcde")), 48, 320, **options)


SPACES = [
    (["a b", "c"], r"^The labels hold spaces \(t.txt:1\) .*: set Global.use_space_char to true, .*--spaces remove`\.$"),
    (["a b", "x y"], r"set Global.use_space_char to true, .* It also lacks 2 other characters of the labels\.$"),
    (["a", "x"], r"^The dictionary lacks 1 characters of the labels: 'x' \(t.txt:2\)\. .*scenetext prepare"),
]


@pytest.mark.parametrize(("labels", "told"), SPACES)
def test_a_space_that_the_dictionary_lacks_is_told_apart_from_other_characters(labels, told, tmp_path):
    records = [Record("0.jpg", label, f"t.txt:{line}") for line, label in enumerate(labels, 1)]
    with pytest.raises(InputError, match=told):
        Lines(records, open_images(tmp_path), Charset(tuple("abc")), 48, 320)
    with_space = Lines([records[0]], open_images(tmp_path), Charset((*"abc", " "), use_space_char=True), 48, 320)
    assert next(iter(with_space.ids))[:1] == [1]
