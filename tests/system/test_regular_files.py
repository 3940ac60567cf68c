"""Reading files that a stranger may have named: regular files of bounded size, and nothing that has no end."""

from __future__ import annotations

import os

import pytest

from scenetext.errors import InputError
from scenetext.system.regular_files import read_regular_file

ODD = [
    ("missing", "cannot be read: No such file or directory"),
    ("folder", "cannot be read: it is a folder"),
    ("no\0name", "cannot be read: it is no name of a file"),
    ("x" * 300, "cannot be read: File name too long"),
    ("large", "has 11 bytes; such a file may have 10 at most"),
    ("large link", "has 11 bytes; such a file may have 10 at most"),
    ("loop", "cannot be read: Too many levels of symbolic links"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "good").write_bytes(bytes(10))
    (tmp_path / "large").write_bytes(bytes(11))
    (tmp_path / "good link").symlink_to("good")
    (tmp_path / "large link").symlink_to("large")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(("name", "told"), ODD)
def test_what_is_no_regular_file_of_bounded_size_is_named(name, told, folder):
    with pytest.raises(InputError, match=f"^this place {told}"):
        read_regular_file(folder / name if "\0" not in name else str(folder) + name, 10, "this place")


@pytest.mark.parametrize("name", ["good", "good link"])
def test_a_regular_file_is_read_whole(name, folder):
    assert read_regular_file(folder / name, 10) == bytes(10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_neither_waited_for_nor_read_without_end(folder):
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/dev/zero")
    for path in (folder / "pipe", folder / "link", "/dev/zero", "/dev/null"):
        with pytest.raises(InputError, match="it is a pipe or a device"):
            read_regular_file(path, 10)
