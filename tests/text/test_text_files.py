"""Texts out of files: one a line, or the labels of a label file."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.errors import InputError
from scenetext.text.text_files import read_texts


@pytest.mark.parametrize(
    ("name", "data", "texts"),
    [
        ("a.txt", "欢迎 光临\r\n\r\n12\n".encode(), ["欢迎 光临", "12"]),
        ("a.txt", "欢迎光临\n小心地滑".encode("gb18030"), ["欢迎光临", "小心地滑"]),
        ("a.txt", "1.jpg\t好\n2.jpg\t吃\n".encode(), ["好", "吃"]),
        ("a.csv", "name,value\n1.jpg,好\n".encode("gb2312"), ["好"]),
        ("a.txt", b"\xef\xbb\xbfab\n", ["ab"]),
    ],
)
def test_texts_and_label_files_are_read(tmp_path: Path, name: str, data: bytes, texts: list[str]) -> None:
    (tmp_path / name).write_bytes(data)
    assert read_texts(tmp_path / name) == texts


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no text"),
        (b"\n \n", "no text"),
        ("好\n1.jpg\t好\n".encode(), "a.txt:2 holds a tab"),
        (b"a\0b", "zero byte"),
    ],
)
def test_a_file_without_texts_is_refused(tmp_path: Path, data: bytes, match: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InputError, match=match):
        read_texts(tmp_path / "a.txt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt"):
        read_texts(tmp_path / "gone.txt")
