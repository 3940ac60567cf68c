"""From raw files of every layout to a prepared data set: what is kept, what is reported, what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.prepare.preparation import prepare, summary
from scenetext.prepare.raw_pictures import RawPictures, shared_label_folders
from scenetext.text.label_files import read_label_file


def picture(number=0, form="PNG", width=60, height=24):
    """The bytes of a picture that differs for each number."""
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def make_raw(folder, texts, pictures=None, test=3, encoding="gb18030"):
    """A competition: `texts` for 0.png, 1.png, ...; `pictures` overrides or adds entries of the training zip."""
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{i}.png,{text}\n" for i, text in enumerate(texts))
    (folder / "train_label.csv").write_bytes(f"name,value\n{rows}".encode(encoding))
    entries = {f"train_images/{i}.png": picture(i) for i in range(len(texts))} | (pictures or {})
    make_zip(folder / "train_images.zip", {name: data for name, data in entries.items() if data is not None})
    make_zip(folder / "test_images.zip", {f"test_images/{i}.png": picture(1000 + i) for i in range(test)})
    return folder


TEXTS = [f"诚景{chr(0x4E00 + i)}{'a' * (i % 5)}" for i in range(20)]


def run(raw, out, **options):
    return prepare(raw, out, progress=False, **options)


def names(path):
    return [record.name for record in read_label_file(path)]


def tree(folder):
    """Each file below a folder with the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_competition_becomes_pictures_label_files_charset_and_report(tmp_path):
    report = run(make_raw(tmp_path / "raw", TEXTS), tmp_path / "out", val=0.25)
    out = tmp_path / "out"
    assert sorted(os.listdir(out)) == ["charset.txt", "images", "report.json", "test.txt", "train.txt", "val.txt"]
    train, val = read_label_file(out / "train.txt"), read_label_file(out / "val.txt")
    assert (len(train), len(val)) == (15, 5)
    assert {r.name: r.text for r in train + val} == {f"train/{i}.png": text for i, text in enumerate(TEXTS)}
    assert (out / "test.txt").read_text() == "test/0.png\ntest/1.png\ntest/2.png\n"
    for record in train + val:
        assert (out / "images" / record.name).read_bytes() == picture(int(record.name[6:-4]))
    assert set((out / "charset.txt").read_text().split("\n")[:-1]) == set("".join(r.text for r in train))
    assert report == json.loads((out / "report.json").read_text())
    assert report["encodings"] == {"train_label.csv": "gb18030"}
    assert report["counts"]["train"] == 15 and report["problems"] == []
    assert (
        report["geometry"]["train"]["width_px"]["p50"] == 60 and report["geometry"]["train"]["height_px"]["max"] == 24
    )


def test_the_same_input_and_seed_give_the_same_bytes_and_another_seed_another_split(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(raw, tmp_path / name, seed=seed, val=6)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert tree(tmp_path / "a")["val.txt"] != tree(tmp_path / "c")["val.txt"]


def test_raw_files_are_never_changed_and_a_second_run_replaces_the_first(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    before = tree(raw)
    run(raw, tmp_path / "out")
    assert tree(raw) == before
    make_raw(raw, TEXTS[:10])
    run(raw, tmp_path / "out")
    assert len(os.listdir(tmp_path / "out" / "images" / "train")) == 10


def unpack(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    path.unlink()


@pytest.mark.parametrize("layout", ["folders", "no top folder", "deep", "junk", "below folders", "paddleocr"])
def test_other_layouts_give_the_same_data_set(tmp_path, layout):
    expected = run(make_raw(tmp_path / "usual", TEXTS), tmp_path / "expected")
    raw = make_raw(tmp_path / "raw", TEXTS)
    if layout == "folders":
        for part in ("train_images", "test_images"):
            unpack(raw / f"{part}.zip", raw)
    elif layout == "no top folder":
        make_zip(raw / "train_images.zip", {f"{i}.png": picture(i) for i in range(20)})
    elif layout == "deep":
        make_zip(raw / "train_images.zip", {f"x/y/train_images/{i}.png": picture(i) for i in range(20)})
    elif layout == "junk":
        junk = {"__MACOSX/train_images/._0.png": b"x", "train_images/.DS_Store": b"x", "train_images/Thumbs.db": b"x"}
        make_raw(raw, TEXTS, junk)
    elif layout == "below folders":  # as the data sets of a notebook server are laid out
        for part, files in (("data1", ["train_images.zip", "train_label.csv"]), ("data2", ["test_images.zip"])):
            (raw / part).mkdir()
            for file in files:
                shutil.move(raw / file, raw / part / file)
    elif layout == "paddleocr":
        (raw / "train_label.csv").unlink()
        lines = "".join(f"train_images/{i}.png\t{text}\n" for i, text in enumerate(TEXTS))
        (raw / "train.txt").write_text(lines, encoding="utf-8")
    report = run(raw, tmp_path / "out")
    for part in ("train.txt", "val.txt", "test.txt", "charset.txt"):
        assert (tmp_path / "out" / part).read_bytes() == (tmp_path / "expected" / part).read_bytes()
    assert tree(tmp_path / "out" / "images") == tree(tmp_path / "expected" / "images")
    assert report["counts"]["files_ignored"] == (3 if layout == "junk" else 0)
    assert report["geometry"] == expected["geometry"]


def test_a_given_validation_file_keeps_its_split(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    make_zip(raw / "images.zip", {f"images/{i}.png": picture(i) for i in range(6)})
    (raw / "train.txt").write_text("".join(f"images/{i}.png\tab{i}\n" for i in (3, 1, 0, 5)))
    (raw / "val.txt").write_text("images/2.png\tab\nimages/4.png\tabz\n")
    report = run(raw, tmp_path / "out", val=0.5)
    assert names(tmp_path / "out" / "train.txt") == [f"train/{i}.png" for i in (3, 1, 0, 5)]
    assert names(tmp_path / "out" / "val.txt") == ["train/2.png", "train/4.png"]
    assert (tmp_path / "out" / "test.txt").read_bytes() == b""
    assert report["split"]["given"] is True
    assert report["coverage"]["val_by_charset"]["missing"] == {"z": 1}


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (b"", r"is empty (0 bytes)"),
        (b"GIF89a nonsense", "is no image that can be read"),
        (picture(3)[:-30], "is a truncated image"),
        (picture(3, "JPEG")[:-100], "is a truncated image"),
    ],
    ids=["0 bytes", "no picture", "cut png", "cut jpeg"],
)
def test_an_unreadable_picture_is_reported_and_left_out_of_training(tmp_path, broken, detail):
    report = run(make_raw(tmp_path / "raw", TEXTS, {"train_images/3.png": broken}), tmp_path / "out")
    assert [(p["location"], p["kind"], p["name"]) for p in report["problems"]] == [
        ("train_label.csv:5", "unreadable image", "3.png")
    ]
    assert detail in report["problems"][0]["detail"]
    used = names(tmp_path / "out" / "train.txt") + names(tmp_path / "out" / "val.txt")
    assert len(used) == 19 and "train/3.png" not in used


def test_an_entry_whose_bytes_are_damaged_is_an_unreadable_picture(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    data = (raw / "train_images.zip").read_bytes()
    at = data.index(picture(3)) + 200
    (raw / "train_images.zip").write_bytes(data[:at] + bytes(40) + data[at + 40 :])
    report = run(raw, tmp_path / "out")
    assert report["problem_counts"] == {"unreadable image": 1}
    assert report["problems"][0]["detail"].startswith("train_images.zip:train_images/3.png is broken in the zip")


def test_an_unreadable_test_picture_is_reported_and_stays_in_the_test_list(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    make_zip(raw / "test_images.zip", {"0.png": picture(1), "1.png": b"", "10.png": picture(2), "2.png": picture(3)})
    report = run(raw, tmp_path / "out")
    assert (tmp_path / "out" / "test.txt").read_text().split() == [f"test/{i}.png" for i in (0, 1, 2, 10)]
    assert [p["location"] for p in report["problems"]] == ["test_images.zip/1.png"]


def test_labels_without_picture_and_pictures_without_label_are_reported(tmp_path):
    extra = {"train_images/7.png": None, "train_images/90.png": picture(90), "train_images/broken.png": b"x"}
    report = run(make_raw(tmp_path / "raw", TEXTS, extra), tmp_path / "out")
    assert report["problem_counts"] == {"label without image": 1, "unreadable image": 1}
    assert report["problems"][0]["location"] == "train_label.csv:9"
    assert report["images_without_label"] == {"count": 2, "first": ["90.png", "broken.png"]}
    assert "2 training pictures have no label" in summary(report)


def test_bad_rows_are_left_out_with_their_places(tmp_path):
    texts = [*TEXTS[:17], "", "a\tb", '"a\nb"']
    raw = make_raw(tmp_path / "raw", texts)
    with open(raw / "train_label.csv", "ab") as file:
        file.write(b"0.png,other\n")
    report = run(raw, tmp_path / "out")
    assert [(p["location"], p["kind"]) for p in report["problems"]] == [
        ("train_label.csv:19", "empty label"),
        ("train_label.csv:20", "tab in label"),
        ("train_label.csv:21", "newline in label"),
        ("train_label.csv:2", "name twice"),
        ("train_label.csv:23", "name twice"),
    ]
    assert report["counts"]["train"] + report["counts"]["val"] == 16
    assert report["images_without_label"]["count"] == 0  # they have rows, if bad ones
    printed = summary(report)
    assert "1 x empty label" in printed and "train_label.csv:20" in printed


def test_rows_that_mean_one_picture_by_two_names_are_told_apart(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    with open(raw / "train_label.csv", "ab") as file:
        file.write(f"train_images/0.png,{TEXTS[0]}\ntrain_images/1.png,other\n".encode("gb18030"))
    report = run(raw, tmp_path / "out")
    assert report["counts"]["rows_repeated"] == 1
    assert report["problem_counts"] == {"name twice": 2}


def test_equal_pictures_are_reported_and_stay_on_one_side_of_the_split(tmp_path):
    same = {f"train_images/{i}.png": picture(i // 2) for i in range(20)}
    report = run(make_raw(tmp_path / "raw", TEXTS, same), tmp_path / "out", val=0.5)
    assert report["duplicates"]["groups_of_equal_images"] == 10
    assert report["duplicates"]["equal_images_with_different_labels"][0] == {"0.png": TEXTS[0], "1.png": TEXTS[1]}
    assert report["split"]["val_lines_whose_image_is_in_train"] == 0
    assert report["counts"]["val"] == 10


def test_val_0_trains_on_everything(tmp_path):
    report = run(make_raw(tmp_path / "raw", TEXTS), tmp_path / "out", val=0)
    assert (report["counts"]["train"], report["counts"]["val"]) == (20, 0)
    assert (tmp_path / "out" / "val.txt").read_bytes() == b""


def test_normalisation_changes_training_labels_and_charset_and_never_the_validation_labels(tmp_path):
    texts = [f"ＡＢ\u3000{i:02d}" for i in range(20)]
    report = run(
        make_raw(tmp_path / "raw", texts), tmp_path / "out", val=5, width="half", case="lower", spaces="remove"
    )
    assert all(r.text.startswith("ab") and len(r.text) == 4 for r in read_label_file(tmp_path / "out" / "train.txt"))
    assert all(r.text in texts for r in read_label_file(tmp_path / "out" / "val.txt"))
    assert "Ａ" not in (tmp_path / "out" / "charset.txt").read_text()
    rows = {row["choice"]: row for row in report["normalisation"]}
    assert rows["as they are"]["classes"] == 13 and rows["as they are"]["labels_changed"] == 0
    assert rows["spaces=remove"]["labels_changed"] == 20 and rows["spaces=remove"]["classes"] == 12
    assert rows["width=half"]["examples"][0] == ["ＡＢ\u300000", "AB\u300000"]


def test_extra_characters_join_those_of_the_labels(tmp_path):
    (tmp_path / "mine.txt").write_text("貓\n啊\n", encoding="utf-8")
    raw = make_raw(tmp_path / "raw", ["zz"] * 20, {f"train_images/{i}.png": picture(i) for i in range(20)})
    run(raw, tmp_path / "out", extra_characters=[tmp_path / "mine.txt", "gb2312-1"])
    lines = (tmp_path / "out" / "charset.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == 3755 + 2 and {"z", "貓", "啊"} <= set(lines)
    assert lines == sorted(lines)


def labels(text):
    return lambda raw: (raw / "train_label.csv").write_bytes(text.encode("gb18030"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: (raw / "train_images.zip").unlink(), "holds no training pictures: none of train_images.zip"),
        (lambda raw: (raw / "train_label.csv").unlink(), "holds no labels: none of train_label.csv"),
        (lambda raw: (raw / "train_images.zip").write_bytes(b"PK broken"), "train_images.zip is no whole zip file"),
        (lambda raw: (raw / "test_images.zip").write_bytes(b""), "test_images.zip is no whole zip file"),
        (lambda raw: make_zip(raw / "train_images.zip", {"../0.png": picture()}), "'../0.png' leaves the folder"),
        (lambda raw: make_zip(raw / "train_images.zip", {"readme.txt": b"x"}), "train_images.zip holds no picture"),
        (lambda raw: make_zip(raw / "train_images.zip", {"x.png": picture()}), "No row of .* can be used; .*:2: "),
        (labels("name,text\n0.png,a\n"), "has no column value"),
        (labels("name,value\n"), "No row of .*train_label.csv can be used"),
        (labels("name,value\n0.png,\n1.png,\n"), "No row of .* can be used; .*train_label.csv:2: .* is empty"),
        (lambda raw: (raw / "train_label.csv").write_bytes(b"name,value\n0.png,\xff\n"), "train_label.csv:2 holds the"),
        (lambda raw: (shutil.copytree(raw, raw / "copy") and (raw / "train_label.csv").unlink()) or shutil.copytree(
            raw / "copy", raw / "copy2"), "train_label.csv lies in several folders"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_an_error_and_an_earlier_result_stays(tmp_path, spoil, message):
    raw = make_raw(tmp_path / "raw", TEXTS)
    run(raw, tmp_path / "out")
    before = tree(tmp_path / "out")
    spoil(raw)
    with pytest.raises(InputError, match=message):
        run(raw, tmp_path / "out")
    assert tree(tmp_path / "out") == before
    assert sorted(os.listdir(tmp_path)) == ["out", "raw"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": -1}, "val=-1 is neither"),
        ({"val": 20}, "val=20 leaves none of the 20 usable lines"),
        ({"width": "double"}, "width can be keep, half, not 'double'"),
        ({"extra_characters": "klingon"}, "'klingon' is neither a file"),
    ],
)
def test_wrong_settings_are_errors(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(make_raw(tmp_path / "raw", TEXTS), tmp_path / "out", **options)
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize("out", [".", "train_images", "train_images/prepared"])
def test_raw_folders_are_never_written_to(tmp_path, out):
    raw = make_raw(tmp_path / "raw", TEXTS)
    unpack(raw / "train_images.zip", raw)
    with pytest.raises(InputError, match="raw files are never changed"):
        run(raw, raw / out)


def test_a_folder_of_somebody_elses_pictures_is_not_replaced(tmp_path):
    (tmp_path / "out" / "images").mkdir(parents=True)
    (tmp_path / "out" / "images" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="was not written by prepare"):
        run(make_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    assert (tmp_path / "out" / "images" / "holiday.jpg").exists()


def test_a_missing_raw_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist; name the folder"):
        run(tmp_path / "nothing", tmp_path / "out")


BATCHES = {f"batch_a/{i}.png": picture(i) for i in range(6)}
MATCHES = [  # pictures of the zip, labels' names, and the pictures that they mean
    (["0.png", "1.png"], ["0.png", "1.png"], ["0.png", "1.png"]),
    (["train/0.png", "train/1.png"], ["0.png", "train/1.png"], ["0.png", "1.png"]),
    (["x/train/0.png", "x/train/1.png"], ["train/0.png", "x/train/1.png"], ["0.png", "1.png"]),
    (["0.png", "1.png"], ["train/0.png", "train/1.png"], ["0.png", "1.png"]),  # what all labels share says nothing
    (["train/0.png", "train/1.png"], ["./data/train/0.png", "data/train/1.png"], ["0.png", "1.png"]),
    (["a/0.png", "a/1.png"], ["b/0.png", "b/1.png"], ["0.png", "1.png"]),
    (["a/0.png", "b/0.png"], ["data/a/0.png", "data/b/0.png"], ["a/0.png", "b/0.png"]),
    (["a/0.png", "b/1.png"], ["0.png", "1.png"], ["a/0.png", "b/1.png"]),  # the only ones of these file names
    (["a/0.png", "b/0.png"], ["0.png", "a/0.png"], [None, "a/0.png"]),
    (["a/0.png", "a/4.png"], ["a/0.png", "b/4.png"], ["0.png", None]),  # the folder contradicts
    (["0.png", "4.png"], ["a/0.png", "b/4.png"], [None, None]),
    (["a/0.png", "b/1.png"], ["c/0.png", "c/1.png"], [None, None]),
    (["a/b/0.png", "a/b/1.png"], ["b/0.png", "a/b/1.png", "a/c/1.png"], ["0.png", "1.png", None]),
    (["a/0.png", "a/a/0.png"], ["a/0.png", "a/a/0.png"], ["0.png", "a/0.png"]),  # labels with whole paths
    (["a/0.png", "a/a/0.png"], ["0.png", "a/0.png"], ["0.png", "a/0.png"]),  # and without the shared folder
    (["train/0.png"], ["train\\0.png"], ["0.png"]),
    (["train/0.png"], ["/home/me/train/0.png"], ["0.png"]),
]


@pytest.mark.parametrize(("pictures", "labels", "meant"), MATCHES)
def test_a_label_means_the_picture_whose_folders_agree(pictures, labels, meant, tmp_path):
    make_zip(tmp_path / "images.zip", {name: picture() for name in pictures})
    source = RawPictures(tmp_path / "images.zip")
    shared = shared_label_folders(labels)
    assert [source.find(label, shared) for label in labels] == meant


def test_labels_of_another_folder_do_not_stand_on_this_folders_pictures(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    make_zip(raw / "train_images.zip", BATCHES)
    (raw / "train.txt").write_text("batch_a/0.png\tA\nbatch_a/1.png\tB\nbatch_b/4.png\tC\nbatch_b/5.png\tD\n")
    report = run(raw, tmp_path / "out", val=0)
    assert (tmp_path / "out" / "train.txt").read_text() == "train/0.png\tA\ntrain/1.png\tB\n"
    assert report["problem_counts"] == {"label without image": 2}
    assert "4.png has the same file name but lies in another folder" in report["problems"][0]["detail"]


def test_what_is_passed_over_is_counted_and_said(tmp_path):
    junk = {"__MACOSX/train_images/._0.png": b"x", "train_images/.ipynb_checkpoints/0-checkpoint.png": picture()}
    raw = make_raw(tmp_path / "raw", TEXTS, junk | {"train_images/readme.txt": b"x"})
    report = run(raw, tmp_path / "out")
    assert report["counts"]["files_ignored"] == 3 and report["counts"]["train_images"] == len(TEXTS)
    told = (
        "train_images.zip: passed over: 2 junk files (__MACOSX/train_images/._0.png, …), "
        "1 file that is no picture (train_images/readme.txt)."
    )
    assert told in summary(report).splitlines()
    assert [entry["count"] for entry in report["passed_over"]["train_images.zip"]] == [2, 1]


def test_linked_pictures_are_copied_and_what_is_no_picture_is_not(tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    unpack(raw / "train_images.zip", raw)
    secret = tmp_path / "passwords"
    secret.write_text("secret")
    (tmp_path / "store").mkdir()
    for number, target in ((3, tmp_path / "store" / "3.png"), (4, secret)):
        path = raw / "train_images" / f"{number}.png"
        path.replace(tmp_path / "store" / path.name)
        path.symlink_to(target)
    (tmp_path / "more").mkdir()
    shutil.move(raw / "train_images" / "5.png", tmp_path / "more" / "5.png")
    (raw / "train_images" / "linked").symlink_to(tmp_path / "more")
    report = run(raw, tmp_path / "out", val=0)
    assert [p["name"] for p in report["problems"]] == ["4.png"] and "train/linked/5.png" in names(
        tmp_path / "out" / "train.txt"
    )
    copied = tmp_path / "out" / "images" / "train"
    assert (copied / "3.png").read_bytes() == picture(3) and not (copied / "3.png").is_symlink()
    assert (copied / "linked" / "5.png").read_bytes() == picture(5)
    assert not any(path.read_bytes() == b"secret" for path in copied.rglob("*.png"))


def test_a_gif_is_prepared_and_read(tmp_path):
    raw = make_raw(tmp_path / "raw", ["a"], {"train_images/0.png": None, "train_images/0.gif": picture(0, "GIF")})
    (raw / "train_label.csv").write_text("name,value\n0.gif,a\n")
    report = run(raw, tmp_path / "out", val=0)
    assert names(tmp_path / "out" / "train.txt") == ["train/0.gif"] and report["problems"] == []
    assert list(open_images(tmp_path / "out" / "images").names()) == [
        "test/0.png", "test/1.png", "test/2.png", "train/0.gif",
    ]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
@pytest.mark.parametrize(
    ("raw_name", "shown"),
    [("店招.png".encode("gbk"), "店招.png"), (b"\xff.png", "\\xff.png"), (b"a\tb.png", "a\\x09b.png")],
)
def test_files_whose_names_are_no_text_are_prepared_under_the_shown_name(raw_name, shown, tmp_path):
    raw = make_raw(tmp_path / "raw", TEXTS)
    for part in ("train_images", "test_images"):
        unpack(raw / f"{part}.zip", raw)
        with open(os.path.join(os.fsencode(raw / part), raw_name), "wb") as file:
            file.write(picture(99))
    with open(raw / "train_label.csv", "ab") as file:
        file.write(f"{shown},店招\n".encode("gb18030"))
    report = run(raw, tmp_path / "out", val=0)
    assert report["problems"] == []
    assert f"train/{shown}" in names(tmp_path / "out" / "train.txt")
    assert f"test/{shown}" in (tmp_path / "out" / "test.txt").read_text(encoding="utf-8").split("\n")
    assert open_images(tmp_path / "out" / "images").read(f"test/{shown}") == picture(99)


def test_chinese_names_from_windows_zips_are_read(tmp_path):
    raw = make_raw(tmp_path / "raw", ["a"])
    make_zip(raw / "train_images.zip", {"XXXX.png": picture()})
    data = (raw / "train_images.zip").read_bytes().replace(b"XXXX", "店招".encode("gb18030"))
    (raw / "train_images.zip").write_bytes(data)
    (raw / "train_label.csv").write_bytes("name,value\n店招.png,店\n".encode("gb18030"))
    run(raw, tmp_path / "out", val=0)
    assert names(tmp_path / "out" / "train.txt") == ["train/店招.png"]


def test_real_competition_plates_and_words_are_prepared(shared, tmp_path):
    report = run(shared / "competition", tmp_path / "c", val=0.25)
    assert {k: report["counts"][k] for k in ("train", "val", "test")} == {"train": 913, "val": 304, "test": 1197}
    assert report["encodings"] == {"train_label.csv": "gb18030"} and report["problems"] == []
    lengths = report["split"]
    assert abs(lengths["train_lengths"]["mean"] - lengths["val_lengths"]["mean"]) <= 0.2
    for folder, train, val in (("plates", 800, 200), ("ic15", 3968, 500)):
        report = run(shared / folder, tmp_path / folder)
        assert (report["counts"]["train"], report["counts"]["val"], report["counts"]["test"]) == (train, val, 0)
