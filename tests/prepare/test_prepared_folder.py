"""A data set is replaced in one step: the old one or the new one, never a mixture, and nobody else's files are lost."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from test_prepare import TEXTS, make_raw, names, picture, run, tree, unpack

from scenetext.errors import InputError, RunError
from scenetext.prepare import preparation
from scenetext.prepare.preparation import summary
from scenetext.system import files
from scenetext.system.locks import only_writer
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file

PRODUCTS = ["charset.txt", "images", "report.json", "test.txt", "train.txt", "val.txt"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing is cleaned up that `except Exception` would clean up."""


def other_pictures(folder, count=20):
    """A competition of the same names as `make_raw`'s, with other pictures and labels."""
    texts = [f"另{chr(0x4F00 + i)}" for i in range(count)]
    return make_raw(folder, texts, {f"train_images/{i}.png": picture(5000 + i) for i in range(count)})


def is_other(out: Path) -> bool:
    """Whether the labels are those of `other_pictures`."""
    return "另" in (out / "train.txt").read_text(encoding="utf-8")


def is_whole(out: Path) -> bool:
    """Whether every label stands on its own picture, in either data set."""
    start = 5000 if is_other(out) else 0
    records = [*read_label_file(out / "train.txt"), *read_label_file(out / "val.txt")]
    fits = [(out / "images" / r.name).read_bytes() == picture(start + int(r.name[6:-4])) for r in records]
    return len(fits) == 20 and all(fits)


@pytest.mark.parametrize(
    "step", ["preparation.check_and_copy", "preparation.label_lines", "Charset.lines", "json.dumps"]
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Killed()])
def test_a_prepare_that_ends_early_leaves_the_former_data_set(step, error, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(make_raw(tmp_path / "raw", TEXTS), out)
    before = tree(out)
    other_pictures(tmp_path / "other")
    holder, step = (
        {"preparation": preparation, "Charset": Charset, "json": json}[step.split(".")[0]],
        step.split(".")[1],
    )
    real = getattr(holder, step)

    def stop(*values, **options):
        real(*values, **options)
        raise error

    monkeypatch.setattr(holder, step, stop)
    told = "^$" if isinstance(error, Killed) else rf"{out} could not be written \(No space left"
    with pytest.raises((Killed, RunError), match=told):
        run(tmp_path / "other", out)
    assert tree(out) == before and is_whole(out)
    monkeypatch.undo()
    run(tmp_path / "other", out)
    assert is_whole(out) and sorted(os.listdir(out)) == PRODUCTS
    assert is_other(out)


def test_the_former_data_set_is_whole_until_the_new_one_has_its_name(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(make_raw(tmp_path / "raw", TEXTS), out)
    other_pictures(tmp_path / "other")
    seen, exchange = [], files.exchange

    def exchanged(new, old):
        seen.append((is_whole(out), sorted(os.listdir(new)), is_other(out)))
        exchange(new, old)
        seen.append((is_whole(out), sorted(os.listdir(out)), is_other(out)))

    monkeypatch.setattr(files, "exchange", exchanged)
    run(tmp_path / "other", out)
    assert seen == [(True, PRODUCTS, False), (True, PRODUCTS, True)]


def test_files_of_others_in_the_folder_stay_the_same_files(tmp_path):
    out = tmp_path / "out"
    raw = make_raw(tmp_path / "raw", TEXTS)
    run(raw, out)
    (out / "notes").mkdir()
    (out / "notes" / "empty").mkdir()
    (out / "notes" / "a.txt").write_text("mine")
    (out / "notes" / "a.txt").chmod(0o600)
    (out / "readme.md").write_text("mine, too")
    (out / "link").symlink_to("notes/a.txt")
    (out / "nowhere").symlink_to("gone")
    (out / ".images.old.abc123").mkdir()  # an earlier version's, killed
    (out / ".train.txt.x7").write_text("half")
    before = {name: os.stat(out / name) for name in ("notes/a.txt", "readme.md")}
    run(raw, out)
    assert sorted(os.listdir(out)) == sorted([*PRODUCTS, "link", "notes", "nowhere", "readme.md"])
    for name, status in before.items():
        after = os.stat(out / name)
        assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (status.st_ino, status.st_mode, status.st_mtime_ns)
    assert (out / "link").read_text() == "mine" and os.readlink(out / "nowhere") == "gone"
    assert (out / "notes" / "empty").is_dir()
    assert sorted(os.listdir(tmp_path)) == ["out", "raw"]


def test_files_of_others_are_copied_where_the_disk_has_no_links(tmp_path, monkeypatch):
    raw = make_raw(tmp_path / "raw", TEXTS)
    run(raw, tmp_path / "out")
    (tmp_path / "out" / "readme.md").write_text("mine")

    def no_links(*values, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    run(raw, tmp_path / "out")
    assert (tmp_path / "out" / "readme.md").read_text() == "mine"


def test_a_file_that_cannot_be_kept_stops_the_replacement(tmp_path, monkeypatch):
    raw = make_raw(tmp_path / "raw", TEXTS)
    run(raw, tmp_path / "out")
    (tmp_path / "out" / "readme.md").write_text("mine")
    before = tree(tmp_path / "out")

    def fails(*values, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(
        InputError, match=r"readme.md was not written by prepare and cannot be kept .*Input/output error"
    ):
        run(raw, tmp_path / "out")
    assert tree(tmp_path / "out") == before


def test_raw_files_below_the_folder_stay(tmp_path):
    out = tmp_path / "data"
    out.mkdir()
    raw = make_raw(out / "raw", TEXTS)
    before = tree(raw)
    for _ in range(2):
        run(raw, out)
        assert tree(raw) == before and is_whole(out)


def test_a_link_to_the_folder_stays_a_link(tmp_path):
    (tmp_path / "big disk").mkdir()
    (tmp_path / "out").symlink_to("big disk")
    for _ in range(2):
        run(make_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
        assert os.readlink(tmp_path / "out") == "big disk" and is_whole(tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["big disk", "out", "raw"]


def test_the_folder_of_the_command_is_not_replaced_under_it(tmp_path, monkeypatch):
    raw = make_raw(tmp_path / "raw", TEXTS)
    (tmp_path / "out" / "below").mkdir(parents=True)
    for inside in (tmp_path / "out", tmp_path / "out" / "below"):
        monkeypatch.chdir(inside)
        with pytest.raises(InputError, match="is the folder that this command runs in"):
            run(raw, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["below"]


def test_of_two_prepares_into_one_folder_one_does_the_work_and_the_other_says_so(tmp_path, monkeypatch):
    raw = make_raw(tmp_path / "raw", TEXTS)
    real, begun, end = preparation.check_and_copy, threading.Event(), threading.Event()

    def slow(*values, **options):
        begun.set()
        assert end.wait(30)
        return real(*values, **options)

    monkeypatch.setattr(preparation, "check_and_copy", slow)
    first = threading.Thread(target=run, args=(raw, tmp_path / "out"))
    first.start()
    assert begun.wait(30)
    try:
        with pytest.raises(RunError, match="Another process is writing .*out now"):
            run(raw, tmp_path / "out")
    finally:
        end.set()
        first.join()
    assert is_whole(tmp_path / "out") and sorted(os.listdir(tmp_path)) == ["out", "raw"]
    with only_writer(tmp_path / "out"):
        pass


def test_vertical_pictures_and_names_that_no_label_file_can_hold_are_counted(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS, {"train_images/3.png": picture(3, width=24, height=36)})
    unpack(raw / "train_images.zip", raw)
    shutil.copy(raw / "train_images" / "4.png", raw / "train_images" / "a\tb\n.png")
    with open(raw / "train_label.csv", "ab") as file:
        file.write(b'"a\tb\n.png",tab\n')
    report = run(raw, tmp_path / "out", val=0)
    assert report["geometry"]["train"]["vertical"] == 1 and report["geometry"]["test"]["vertical"] == 0
    assert "1 training and 0 test pictures are at least 1.5 times as high as wide" in summary(report)
    assert report["names_written_otherwise"] == {"count": 1, "first": [r"a\x09b\x0a.png"]}
    assert r"they are written as \xNN, such as a\x09b\x0a.png." in summary(report)
    assert report["problems"] == [] and r"train/a\x09b\x0a.png" in names(tmp_path / "out" / "train.txt")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_too_long_once_it_is_text_is_reported(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    unpack(raw / "train_images.zip", raw)
    name = ("店招" * 60).encode("gbk") + b".png"  # 244 bytes, and 364 in UTF-8
    with open(os.path.join(os.fsencode(raw / "train_images"), name), "wb") as file:
        file.write(picture(99))
    with open(raw / "train_label.csv", "ab") as file:
        file.write(name + b",long\n")
    report = run(raw, tmp_path / "out", val=0)
    assert [(p["location"], p["kind"]) for p in report["problems"]] == [("train_label.csv:22", "unreadable image")]
    assert "is longer than the disk allows" in report["problems"][0]["detail"] and report["counts"]["train"] == 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_links_to_devices_and_pipes_among_raw_files_are_no_pictures(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    unpack(raw / "train_images.zip", raw)
    os.mkfifo(raw / "train_images" / "pipe.png")
    (raw / "train_images" / "0.png").unlink()
    (raw / "train_images" / "0.png").symlink_to("/dev/zero")
    report = run(raw, tmp_path / "out", val=0)
    assert [(p["name"], p["kind"]) for p in report["problems"]] == [("0.png", "unreadable image")]
    assert "it is a pipe or a device" in report["problems"][0]["detail"]
    assert report["passed_over"]["train_images"][0]["first"] == "pipe.png"
    (raw / "train_label.csv").unlink()
    os.mkfifo(raw / "train.txt")
    with pytest.raises(InputError, match=r"train.txt cannot be read: it is a pipe"):
        run(raw, tmp_path / "out")
