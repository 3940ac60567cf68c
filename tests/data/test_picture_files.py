"""Which files are pictures, whatever holds them: suffixes, junk, links, names of every kind; and what is left out."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path

import pytest
from test_sources import as_lmdb

from scenetext.data.sources.folder import Folder
from scenetext.data.sources.images import open_images
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.data.sources.picture_files import Kind, PassedOver, kind_of
from scenetext.data.sources.zips import Zips
from scenetext.errors import InputError
from scenetext.system.file_names import raw_names, shown_name
from scenetext.text.natural_order import natural_order

FILES = {  # every file of a data set that editors and systems were at, and what it is
    "1.jpg": None,
    "2.JPEG": None,
    "10.png": None,
    "b/c.webp": None,
    "b/d.gif": None,
    "b/e.tif": None,
    "b/f.TIFF": None,
    "b/g.bmp": None,
    "图/1.jpg": None,
    "a.b/..c/1.jpg": Kind.JUNK,  # a folder as Kubernetes mounts it
    ".ipynb_checkpoints/1-checkpoint.jpg": Kind.JUNK,
    "b/.ipynb_checkpoints/c-checkpoint.webp": Kind.JUNK,
    "__MACOSX/._1.jpg": Kind.JUNK,
    "__MACOSX/b/c.webp": Kind.JUNK,
    "b/._d.gif": Kind.JUNK,
    ".DS_Store": Kind.JUNK,
    "Thumbs.db": Kind.JUNK,
    "b/desktop.ini": Kind.JUNK,
    "readme.txt": Kind.NO_PICTURE,
    "b/labels.csv": Kind.NO_PICTURE,
    "jpg": Kind.NO_PICTURE,
    "1.jpg.part": Kind.NO_PICTURE,
}
PICTURES = natural_order(name for name, kind in FILES.items() if kind is None)


def in_a_folder(folder: Path, names) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def in_a_zip(path: Path, names) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name.encode())
    return path


def whole_paths(path: Path) -> Zips:
    return Zips(path, [path], whole_paths=True)


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_is_depends_on_its_path_alone(name):
    assert kind_of(name) is FILES[name]


@pytest.mark.parametrize("kind", ["folder", "zip", "zips"])
def test_folders_and_zips_hold_the_same_pictures_and_pass_over_the_same_files(kind, tmp_path):
    if kind == "folder":
        source = open_images(in_a_folder(tmp_path / "set", FILES))
    elif kind == "zip":
        source = whole_paths(in_a_zip(tmp_path / "set.zip", FILES))
    else:
        (tmp_path / "zips").mkdir()
        in_a_zip(tmp_path / "zips" / "set.zip", FILES)
        in_a_folder(tmp_path / "zips", [".ipynb_checkpoints/1-checkpoint.jpg", "._set.zip"])
        in_a_zip(tmp_path / "zips" / "other.zip", [])
        source = open_images(tmp_path / "zips")
    top = "set.zip/" if kind == "zips" else ""
    assert list(source.names()) == [top + name for name in PICTURES]
    assert [source.read(name).decode() for name in source.names()] == PICTURES
    assert source.passed_over.counts == {Kind.JUNK: 9, Kind.NO_PICTURE: 4}
    assert str(source.passed_over) == (
        f"passed over: 9 junk files ({top}.DS_Store, …), 4 files that are no pictures ({top}1.jpg.part, …)"
    )


def test_nothing_passed_over_is_nothing_said(tmp_path):
    source = open_images(in_a_folder(tmp_path, ["1.jpg"]))
    assert list(source.names()) == ["1.jpg"] and not source.passed_over and source.passed_over.entries() == []
    passed_over = PassedOver()
    passed_over.add(Kind.JUNK, "Thumbs.db")
    assert str(passed_over) == "passed over: 1 junk file (Thumbs.db)" and passed_over.total == 1


def test_a_single_file_obeys_the_same_rule(tmp_path):
    in_a_folder(tmp_path, ["x.gif", "._x.jpg", "train.txt", "no.zip"])
    assert list(open_images(tmp_path / "x.gif").names()) == ["x.gif"]
    for name, told in (
        ("._x.jpg", "_x.jpg has the name of a junk file"),
        ("train.txt", "train.txt is neither a zip nor a picture"),
        ("no.zip", "no.zip is no whole zip file"),
        ("nothing", "nothing does not exist"),
    ):
        with pytest.raises(InputError, match=told):
            open_images(tmp_path / name)


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "2.jpg", "10.jpg"],
        ["a.jpg", "a/1.jpg", "a-b.JPG", "a/b/2.png", "a0.bmp", "b/c.webp", "图/1.tif"],
        ["1/b.jpg", "01/a.jpg", "1/c/2.jpg", "01/c/1.jpg"],  # folders that only a leading zero tells apart
        ["a/x10/1.jpg", "a/x9/2.jpg", "a/x9.jpg", "a/x/3.jpg"],
    ],
)
def test_names_of_folders_are_in_natural_order_of_whole_names(names, tmp_path):
    assert list(Folder(in_a_folder(tmp_path, names)).names()) == natural_order(names)


def test_a_folder_and_a_zip_of_the_same_names_are_in_the_same_order(tmp_path):
    chance = random.Random(0)
    names = {
        "/".join(
            "".join(chance.choices("01a-.", k=chance.randrange(1, 4))).strip(".") + "x"
            for _ in range(chance.randrange(1, 4))
        )
        + ".jpg"
        for _ in range(300)
    }
    folder = Folder(in_a_folder(tmp_path / "set", names))
    archive = whole_paths(in_a_zip(tmp_path / "set.zip", names))
    assert list(folder.names()) == list(archive.names()) == natural_order(names)


class TestLinks:
    def test_linked_folders_and_files_are_read(self, tmp_path):
        in_a_folder(tmp_path / "elsewhere", ["b/2.jpg", "3.jpg"])
        in_a_folder(tmp_path / "set", ["1.jpg"])
        (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "set" / "4.jpg").symlink_to(tmp_path / "elsewhere" / "3.jpg")
        (tmp_path / "entrance").symlink_to(tmp_path / "set")
        for path in (tmp_path / "set", tmp_path / "entrance"):
            source = open_images(path)
            assert list(source.names()) == ["1.jpg", "4.jpg", "linked/3.jpg", "linked/b/2.jpg"]
            assert source.read("4.jpg") == source.read("linked/3.jpg") == b"3.jpg" and not source.passed_over

    def test_loops_end_and_every_picture_is_read_once(self, tmp_path):
        root = in_a_folder(tmp_path / "set", ["1.jpg", "b/2.jpg", "b/c/3.jpg"])
        in_a_folder(tmp_path / "elsewhere", ["4.jpg", "d/5.jpg"])
        (root / "a").symlink_to(root / "b")  # its pictures have names of their own below b
        (root / "b" / "up").symlink_to(root)
        (root / "self").symlink_to(root / "self")
        (root / "x").symlink_to(tmp_path / "elsewhere")
        (root / "y").symlink_to(tmp_path / "elsewhere" / "d")
        (tmp_path / "elsewhere" / "back").symlink_to(root)
        (tmp_path / "elsewhere" / "all").symlink_to(tmp_path)
        source = open_images(root)
        assert list(source.names()) == ["1.jpg", "b/2.jpg", "b/c/3.jpg", "x/4.jpg", "y/5.jpg"]
        assert source.read("a/2.jpg") == b"b/2.jpg"  # a label may name it so
        assert source.passed_over.counts[Kind.LINKED] >= 3
        assert "linked folders that are read already (a, …)" in str(source.passed_over)

    def test_a_link_to_a_hidden_folder_is_followed(self, tmp_path):
        in_a_folder(tmp_path, [".store/1.jpg"])
        (tmp_path / "train").symlink_to(tmp_path / ".store")
        source = open_images(tmp_path)
        assert list(source.names()) == ["train/1.jpg"] and source.passed_over.counts == {Kind.JUNK: 1}

    def test_a_link_that_leads_nowhere_is_named_when_it_is_read(self, tmp_path):
        (tmp_path / "1.jpg").symlink_to(tmp_path / "gone.jpg")
        (tmp_path / "folder").symlink_to(tmp_path / "gone")
        source = open_images(tmp_path)
        assert list(source.names()) == ["1.jpg"] and str(source.passed_over).endswith(
            "1 file that is no picture (folder)"
        )
        with pytest.raises(InputError, match=r"1\.jpg cannot be read: No such file"):
            source.read("1.jpg")

    def test_a_linked_lmdb_is_read(self, tmp_path):
        as_lmdb(tmp_path / "data" / "ic15", [(b"one", b"a")])
        (tmp_path / "sets").mkdir()
        (tmp_path / "sets" / "linked").symlink_to(tmp_path / "data")
        assert list(Lmdbs(tmp_path / "sets").names()) == ["linked/ic15/000000001"]
        (tmp_path / "sets" / "direct").symlink_to(tmp_path / "data" / "ic15")
        source = open_images(tmp_path / "sets")
        assert list(source.names()) == ["direct/000000001"] and source.read("direct/000000001") == b"one"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "1.jpg")
        in_a_folder(tmp_path, ["2.jpg"])
        assert list(open_images(tmp_path).names()) == ["2.jpg"]


NAMES = [  # the bytes of a name on the disk, and how it is shown
    ("图.jpg".encode(), "图.jpg"),
    ("招1.jpg".encode("gbk"), "招1.jpg"),  # unpacked on Linux from a zip of Chinese Windows
    ("店\u3000招.jpg".encode("gb18030"), "店\u3000招.jpg"),
    (b"a\xff.jpg", "a\\xff.jpg"),
    ("é.jpg".encode("latin-1"), "\\xe9.jpg"),
    (b"a\tb\n.jpg", "a\\x09b\\x0a.jpg"),
    ("a\u2028\x85.jpg".encode(), "a\\xe2\\x80\\xa8\\xc2\\x85.jpg"),  # line ends to Python's splitlines
    (b"\xb5\xea\n.jpg", "\\xb5\\xea\\x0a.jpg"),
    (b"a\\x09b.jpg", "a\\x09b.jpg"),  # a backslash that stands there
    (b"sp ace'\".jpg", "sp ace'\".jpg"),
]


@pytest.mark.parametrize(("raw", "shown"), NAMES)
def test_every_name_is_shown_as_text_of_one_line_and_found_again(raw, shown):
    assert shown_name(os.fsdecode(raw)) == shown and shown.splitlines() == [shown.encode().decode()]
    assert os.fsdecode(raw) in raw_names(shown)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
@pytest.mark.parametrize(("raw", "shown"), NAMES)
@pytest.mark.parametrize("below", [b"", b"sub/", "招牌/".encode("gbk")])
def test_files_whose_names_are_no_text_are_read_by_the_shown_name(raw, shown, below, tmp_path):
    folder = os.fsencode(tmp_path / "set")
    os.makedirs(os.path.join(folder, below))
    with open(os.path.join(folder, below, raw), "wb") as file:
        file.write(b"the picture")
    source = open_images(tmp_path / "set")
    (name,) = source.names()
    assert name == {b"": "", b"sub/": "sub/"}.get(below, "招牌/") + shown
    assert source.read(name) == b"the picture" and source.fingerprint(name)[0] == 11
    source.location(name).encode()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_two_files_that_would_be_shown_alike_are_told_apart(tmp_path):
    for raw in ("招.jpg".encode(), "招.jpg".encode("gbk")):
        with open(os.path.join(os.fsencode(tmp_path), raw), "wb") as file:
            file.write(raw)
    source = open_images(tmp_path)
    assert {name: source.read(name) for name in source.names()} == {
        "招.jpg": "招.jpg".encode(),
        "\\xd5\\xd0.jpg": "招.jpg".encode("gbk"),
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_folder_whose_own_name_is_no_text_is_named_as_text(tmp_path):
    folder = os.fsdecode(os.path.join(os.fsencode(tmp_path), "招牌".encode("gbk")))
    os.mkdir(folder)
    source = open_images(in_a_folder(Path(folder), ["1.jpg"]))
    assert source.read("1.jpg") == b"1.jpg" and source.location("1.jpg") == f"{tmp_path}/招牌/1.jpg"
    with pytest.raises(InputError, match="招牌/2.jpg cannot be read"):
        source.read("2.jpg")


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("a\tb.jpg", "a\\x09b.jpg"),
        ("sub\\1.jpg", "sub/1.jpg"),
        ("./sub/./1.jpg", "sub/1.jpg"),
        ("../1.jpg", "../1.jpg"),
    ],
)
def test_paths_of_zips_have_forward_slashes_and_no_control_characters(entry, name, tmp_path):
    source = whole_paths(in_a_zip(tmp_path / "a.zip", [entry]))
    assert list(source.names()) == [name] and source.read(name) == entry.encode()


@pytest.mark.parametrize("name", ["no\0name.jpg", "x" * 300 + ".jpg", "lone\ud800.jpg"])
def test_a_label_that_is_no_name_of_a_file_is_an_error_that_names_it(name, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        open_images(in_a_folder(tmp_path, ["1.jpg"])).read(name)
