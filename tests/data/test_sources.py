"""Where pictures lie: folders, zips of every make, LMDBs; read by name, many of them in little memory."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from scenetext.config import load_config
from scenetext.data import checking
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import evaluation_lines
from scenetext.data.sources.images import open_images
from scenetext.data.sources.names import Names
from scenetext.data.sources.zip_directory import ZipDirectory
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.records import Record

PICTURES = {f"train/{number}.jpg": f"picture {number}".encode() * number for number in range(12)}


def packed(path: Path, files: dict[str, bytes], method=zipfile.ZIP_STORED, comment=b"", stream=False) -> Path:
    target = io.BytesIO()
    target.seekable = lambda: not stream  # a stream's entries say their sizes in the directory only
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    path.write_bytes(target.getvalue())
    return path


def test_names_are_indexed_sliced_and_walked_as_a_list():
    plain = ["a", "", "图.jpg", "b\udcff.png", "a", "😀"]  # one comes from a file name that is no UTF-8
    names = Names(iter(plain))
    assert (len(names), list(names), names[2], names[-1]) == (6, plain, plain[2], plain[-1])
    for part in (slice(2, None), slice(None, None, -2), slice(4, 4)):
        assert list(names[part]) == plain[part] and list(names[part][1:]) == plain[part][1:]
    with pytest.raises(IndexError):
        names[6]
    assert not Names([])


MAKES = {
    "stored": {},
    "deflated": {"method": zipfile.ZIP_DEFLATED},
    "with a comment": {"comment": b"signs of the north" * 99},
    "written to a stream": {"stream": True, "method": zipfile.ZIP_DEFLATED},
}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("in_front", [b"", b"#!/bin/sh\nunpack\n"])  # a program that unpacks it
@pytest.mark.parametrize(
    "large", [False, True]
)  # sizes, locations and counts in the fields for what 32 bits cannot hold
def test_zips_of_every_make_are_read_as_zipfile_reads_them(make, in_front, large, tmp_path, monkeypatch):
    if large:
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 20)
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    junk = {"__MACOSX/train/1.jpg": b"x", "train/._2.jpg": b"x", "train/readme.txt": b"x", "train/": b""}
    path = packed(tmp_path / "train.zip", PICTURES | junk, **MAKES[make])
    path.write_bytes(in_front + path.read_bytes())
    monkeypatch.undo()
    images = open_images(path)
    assert list(images.names()) == [f"{number}.jpg" for number in range(12)]
    with zipfile.ZipFile(path) as archive:
        for name in images.names():
            info = archive.getinfo(f"train/{name}")
            assert images.read(name) == PICTURES[info.filename] == images.read(info.filename)
            assert images.fingerprint(name) == (info.file_size, info.CRC)
            assert images.location(name) == f"{path}:train/{name}"


def test_names_in_a_zip_are_paths_where_bare_names_repeat_and_the_later_of_two_entries_counts(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in [("b/1.jpg", b"1"), ("a/1.jpg", b"2"), ("b/1.jpg", b"3"), ("2.jpg", b"4")]:
            archive.writestr(name, data)
    images = open_images(tmp_path / "a.zip")
    assert [(name, images.read(name)) for name in images.names()] == [
        ("2.jpg", b"4"), ("a/1.jpg", b"2"), ("b/1.jpg", b"3"),
    ]  # fmt: skip


def test_names_that_chinese_windows_wrote_into_a_zip_are_read(tmp_path):
    stand_in = "\xab" * 8 + ".jpg"
    path = packed(tmp_path / "a.zip", {stand_in: b"1"})
    gbk = "招牌.jpg".encode("gb18030")
    data = path.read_bytes().replace(stand_in.encode(), gbk + b"\0" * (len(stand_in.encode()) - len(gbk)))
    path.write_bytes(data.replace(b"\x14\0\0\x08", b"\x14\0\0\0"))  # without the mark of UTF-8
    assert list(open_images(path).names()) == ["招牌.jpg"]


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: b"", "no whole zip"),
        (lambda data: b"no zip" * 10, "no whole zip"),
        (lambda data: data[:-30], "no whole zip"),  # cut short
        (lambda data: data[:10] + data[40:], "no whole zip"),  # 30 bytes are lost
        (lambda data: changed(data, data.index(b"PK\1\2") + 3, 9), "no whole zip"),  # the directory is broken
        (lambda data: changed(data, data.index(b"PK\5\6") + 4, 1), "several volumes"),
        (lambda data: changed(data, 40, 9), "1.jpg is broken in the zip"),
        (lambda data: changed(data, data.index(b"PK\1\2") + 8, 1), "1.jpg is encrypted"),
        (lambda data: changed(data, data.index(b"PK\1\2") + 10, 12), "1.jpg is packed by method 12"),
        (lambda data: changed(data, data.index(b"PK\1\2") + 10, 8), "1.jpg is broken in the zip"),  # it is not deflated
        (lambda data: changed(data, 0, 9), "1.jpg is broken in the zip"),  # nothing begins there
        (lambda data: data, "holds no image 2.jpg"),
        (lambda data: data, "holds no image c/1.jpg"),  # another folder's picture is another one
    ],
)
def test_a_broken_zip_or_entry_is_told_with_its_name(damage, told, tmp_path):
    path = packed(tmp_path / "train.zip", {"b/1.jpg": b"a picture" * 9})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=told) as error:
        open_images(path).read(told.rpartition(" ")[2] if "no image" in told else "1.jpg")
    assert str(path) in str(error.value)


def test_damaged_zips_give_no_other_error(tmp_path):
    chance, whole = random.Random(0), packed(tmp_path / "a.zip", PICTURES, zipfile.ZIP_DEFLATED).read_bytes()
    told = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "a.zip").write_bytes(data)
        try:
            images = open_images(tmp_path / "a.zip")
            for name in images.names():
                images.read(name)
        except InputError:
            told += 1
    assert told > 90


def test_a_zip_that_unpacks_to_more_than_pictures_can_is_refused(tmp_path):
    path = packed(tmp_path / "zeros.zip", {"0.jpg": bytes(150_000_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"zeros.zip: \d+ bytes would unpack to 150000000"):
        open_images(path)


def test_a_zip_of_overlapping_entries_is_refused(tmp_path):
    path = packed(tmp_path / "overlap.zip", {"0.jpg": random.Random(0).randbytes(300_000)})
    data = path.read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry, count = bytearray(data[start:end]), 3000
    struct.pack_into("<H", entry, 28, 8)  # the length of the names
    names = b"".join(bytes(entry[:46]) + b"%04d.jpg" % number for number in range(count))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(names), start, 0)
    path.write_bytes(data[:start] + names + tail)
    with pytest.raises(InputError, match=r"overlap.zip: \d+ bytes would unpack to 900000000"):
        open_images(path)


@pytest.mark.parametrize("digits", [5000, 56_000, 65_000])
def test_a_name_of_very_many_digits_is_sorted_and_read(digits, tmp_path):
    name = "7" * digits + ".jpg"
    source = open_images(packed(tmp_path / "a.zip", {name: b"1", "8.jpg": b"2"}))
    assert list(source.names()) == ["8.jpg", name] and source.read(name) == b"1"


def test_an_entry_larger_than_any_picture_is_not_unpacked(tmp_path):
    path = packed(tmp_path / "a.zip", {"0.jpg": b"a picture" * 9})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 100_000_000)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a.zip:0.jpg is broken in the zip"):
        open_images(path).read("0.jpg")
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 300_000_000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="would unpack to 300000000"):
        open_images(path)
    with pytest.raises(
        InputError, match=r"a.zip:0.jpg has 300,000,000 bytes; such a file may have 268,435,456 at most"
    ):
        archive = ZipDirectory(path)
        archive.read(archive.entry(archive._start))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "linked"])
def test_a_label_that_names_a_pipe_or_device_is_an_error(name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "linked").symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{name} cannot be read: it is a pipe or a device"):
        open_images(tmp_path).read(name)


@pytest.mark.parametrize("kind", ["folder", "zip", "zip of paths"])
def test_names_that_windows_wrote_with_backslashes_are_found(kind, tmp_path):
    files = {"train/0.jpg": b"0", "train/1.jpg": b"1"} | ({"val/0.jpg": b"2"} if kind == "zip of paths" else {})
    if kind == "folder":
        for name, data in files.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(data)
    source = open_images(tmp_path / "set" if kind == "folder" else packed(tmp_path / "set.zip", files))
    assert source.read("train\\1.jpg") == source.read("train/1.jpg") == b"1"
    assert source.fingerprint("train\\0.jpg") == source.fingerprint("train/0.jpg")
    for name in ("train\\2.jpg", "val\\1.jpg"):
        with pytest.raises(InputError):
            source.read(name)


def test_a_folder_of_zips_is_read_as_one(tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    for shard in range(3):
        own = {name: data for number, (name, data) in enumerate(PICTURES.items()) if number % 3 == shard}
        packed(shards / f"train_images_{shard}.zip", own)
    (shards / "labels.txt").write_text("")
    images = open_images(shards)
    assert [images.read(name) for name in images.names()] == [PICTURES[f"train/{name}"] for name in images.names()]
    assert len(images.names()) == 12 and images.location("4.jpg") == f"{shards / 'train_images_1.zip'}:train/4.jpg"
    assert images.read("train_images_1.zip/train/4.jpg") == images.read("train/4.jpg") == PICTURES["train/4.jpg"]
    with pytest.raises(InputError, match=r"no image train_images_2.zip/train/4.jpg"):
        images.read("train_images_2.zip/train/4.jpg")

    packed(shards / "more.zip", {"4.jpg": b"another"})  # now the zip's name tells which is meant
    images = open_images(shards)
    assert images.read("more.zip/4.jpg") == b"another" and len(images.names()) == 13
    assert images.read("train_images_1.zip/train/4.jpg") == PICTURES["train/4.jpg"]


@pytest.mark.parametrize("beside", ["5.jpg", "folder/5.jpg"])
def test_a_folder_that_also_holds_a_zip_is_read_as_a_folder(beside, tmp_path):
    packed(tmp_path / "train_images.zip", PICTURES)
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_bytes(b"")
    assert list(open_images(tmp_path).names()) == [beside]


def test_threads_read_one_zip_at_the_same_time(tmp_path):
    images = open_images(packed(tmp_path / "a.zip", PICTURES, zipfile.ZIP_DEFLATED))
    names = list(images.names()) * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, names)) == [PICTURES[f"train/{name}"] for name in names]


def as_lmdb(folder: Path, lines: list[tuple[bytes | None, bytes | None]], count: bytes | None = None) -> Path:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for number, (image, label) in enumerate(lines, 1):
            for key, value in ((b"image", image), (b"label", label)):
                if value is not None:
                    transaction.put(b"%s-%09d" % (key, number), value)
        transaction.put(b"num-samples", count or str(len(lines)).encode())
    return folder


def records_of(folder: Path):
    return evaluation_lines(load_config({"Eval": {"dataset": {"name": "LMDBDataSet", "data_dir": str(folder)}}}))


def test_lmdbs_below_a_folder_are_one_training_set(tmp_path):
    root = tmp_path / "training"
    as_lmdb(root / "MJ" / "train", [(b"one", "诚".encode()), (b"two", b"b")])
    as_lmdb(root / "ST", [(b"three", b"c")])
    (root / "ST" / "notes").mkdir()
    records, images = records_of(root)
    assert list(records) == [
        Record("MJ/train/000000001", "诚", f"{root / 'MJ/train'}:image-000000001"),
        Record("MJ/train/000000002", "b", f"{root / 'MJ/train'}:image-000000002"),
        Record("ST/000000001", "c", f"{root / 'ST'}:image-000000001"),
    ]
    assert [images.read(name) for name in records.names] == [b"one", b"two", b"three"]
    assert list(images.names()) == list(records.names) == list(open_images(root).names())
    assert [images.location(record.name) for record in records] == [record.location for record in records]
    for name in ("ST/000000002", "MJ/000000001", "000000001"):
        with pytest.raises(InputError, match="holds no image-"):
            images.read(name)


def test_several_lmdbs_of_one_name_are_one_set(tmp_path):
    for place, label in (("one", b"a"), ("two", b"b")):
        as_lmdb(tmp_path / place / "train", [(place.encode(), label)])
    folders = [str(tmp_path / "two" / "train"), str(tmp_path / "one")]
    dataset = {"name": "LMDBDataSet", "data_dir_list": folders}
    records, images = evaluation_lines(load_config({"Eval": {"dataset": dataset}}))
    assert [(record.text, images.read(record.name)) for record in records] == [("b", b"two"), ("a", b"one")]
    assert list(images.names()) == list(records.names)
    both = {**dataset, "data_dir": folders[0]}
    for wrong, told in (
        (both, "cannot be given beside data_dir_list"),
        ({"name": "LMDBDataSet"}, "is missing: add it"),
    ):
        with pytest.raises(InputError, match=f"Eval.dataset.data_dir {told}"):
            load_config({"Eval": {"dataset": wrong}})


def test_one_lmdb_is_opened_several_times(tmp_path):
    folder = as_lmdb(tmp_path / "both", [(b"one", b"a")])
    training, evaluation = records_of(folder), records_of(folder)  # as Train and Eval of one config
    assert training[1].read("000000001") == evaluation[1].read("000000001") == b"one"


@pytest.mark.parametrize(
    ("lines", "count", "told"),
    [
        ([(b"one", b"a"), (b"two", None), (b"three", b"c")], None, "holds no label-000000002, but num-samples is 3"),
        ([(b"one", b"a")], b"2", "holds no label-000000002, but num-samples is 2"),
        ([(b"one", b"\xff")], None, "label-000000001 is not UTF-8"),
        ([(b"one", b"a")], b"many", "num-samples holds no number"),
    ],
)
def test_a_fault_of_an_lmdb_is_told_with_its_key(lines, count, told, tmp_path):
    with pytest.raises(InputError, match=told):
        records_of(as_lmdb(tmp_path / "set", lines, count))


@pytest.mark.parametrize(
    ("content", "told"), [(None, "no folder below it is one"), (b"", "can be read"), (b"x" * 9999, "can be read")]
)
def test_what_is_no_lmdb_is_told(content, told, tmp_path):
    if content is not None:
        (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(InputError, match=told):
        records_of(tmp_path)


@pytest.mark.parametrize("progress", [False, True])
def test_looking_up_many_widths_shows_a_bar(progress, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checking, "BAR_AFTER_S", 0)
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((16, 40, 3), np.uint8))
    records = [Record("1.png", "a", "labels.txt:1")] * 3
    found = Lines(records, open_images(tmp_path), Charset(("a",)), 32, 320, progress=progress).widths_px()
    assert found.tolist() == [80, 80, 80]
    assert ("checking pictures" in capsys.readouterr().err) == progress


def test_a_folder_that_cannot_be_looked_into_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"")
    source, look = open_images(tmp_path), os.scandir

    def scandir(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return look(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match="closed cannot be listed: Permission denied"):
        source.names()
