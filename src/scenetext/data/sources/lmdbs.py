"""Text lines in PaddleOCR's LMDB layout: keys `num-samples`, `image-%09d` and `label-%09d`, counted from 1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from scenetext.data.sources.folder import FolderWalk
from scenetext.data.sources.names import Names
from scenetext.data.sources.picture_files import PassedOver
from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.system.files import size_and_time
from scenetext.text.records import RecordTable

DATA_FILE = "data.mdb"
"""The file that makes a folder an LMDB."""

_OPEN: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()  # environments by device and inode


class Lmdb:
    """The lines of one LMDB, each read from the mapped file when asked for.

    Threads may read at the same time.

    Args:
        path: the folder that holds data.mdb.
        prefix: the folder before the number in a line's name, with its slash, or "".

    Raises:
        InputError: it is no LMDB, or not one of text lines.
    """

    def __init__(self, path: Path, prefix: str):
        self.path, self.prefix = path, prefix
        self._environment = _environment(path)
        count = self.get("num-samples") or b""
        if not count.isdigit():
            raise InputError(
                f"{shown_path(path)} is an LMDB whose key num-samples holds no number, so not one of text lines."
            )
        self.count = int(count)

    def get(self, key: str) -> bytes | None:
        """The value of a key."""
        with self._environment.begin() as transaction:
            return transaction.get(key.encode())

    def names(self) -> Iterator[str]:
        """The name of every line, in order."""
        return (f"{self.prefix}{number:09d}" for number in range(1, self.count + 1))

    def table(self) -> RecordTable:
        """Names and labels of all lines."""
        return RecordTable.of_pairs(zip(self.names(), self._labels(), strict=True), self._place)

    def _labels(self) -> Iterator[str]:
        """Labels in order, which is the keys' order: no key is looked up."""
        with self._environment.begin() as transaction, transaction.cursor() as cursor:
            cursor.set_range(b"label-")
            for number in range(1, self.count + 1):
                key = b"label-%09d" % number
                if cursor.key() != key and not cursor.set_key(key):
                    raise InputError(
                        f"{shown_path(self.path)} holds no {key.decode()}, but num-samples is {self.count}."
                    )
                try:
                    yield cursor.value().decode("utf-8")
                except UnicodeDecodeError:
                    raise InputError(f"{shown_path(self.path)}: {key.decode()} is not UTF-8.") from None
                cursor.next()

    def _place(self, _name: str, number: int) -> str:
        return f"{shown_path(self.path)}:image-{number:09d}"


class Lmdbs:
    """Pictures of an LMDB, or of all LMDBs below a folder: "000000017", and below a folder "ic15/000000017".

    Links to folders are followed. Names are in natural order of the folders.

    Args:
        path: the LMDB, or the folder.

    Attributes:
        path: as given.
        parts: the LMDBs.
        passed_over: always empty: every line of an LMDB is a picture.

    Raises:
        InputError: there is no LMDB, or one is not of text lines.
    """

    def __init__(self, path: Path):
        self.path = path
        self.passed_over = PassedOver()
        folders = ((folder, prefix) for folder, prefix in FolderWalk(path).folders() if (folder / DATA_FILE).is_file())
        self.parts = [Lmdb(folder, prefix) for folder, prefix in folders]
        if not self.parts:
            raise InputError(f"{shown_path(path)} is no LMDB (it has no {DATA_FILE}), and no folder below it is one.")
        self._by_prefix = {part.prefix: part for part in self.parts}

    def names(self) -> Names:
        return Names(name for part in self.parts for name in part.names())

    def read(self, name: str) -> bytes:
        part, number = self._find(name)
        data = part.get(f"image-{number}") if part else None
        if data is None:
            raise InputError(f"{shown_path(part.path if part else self.path)} holds no image-{number}.")
        return data

    def location(self, name: str) -> str:
        part, number = self._find(name)
        return f"{shown_path(part.path if part else self.path)}:image-{number}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Size and time of the LMDB's file: the same numbers for every name in it, even for a missing one."""
        part, _ = self._find(name)
        return size_and_time((part.path if part else self.path) / DATA_FILE)

    def _find(self, name: str) -> tuple[Lmdb | None, str]:
        """The LMDB, None when there is no such one, and the number in it."""
        folder, slash, number = name.rpartition("/")
        part = self._by_prefix.get(folder + slash)
        return part, number if part else name


def _environment(path: Path) -> Any:
    """The opened LMDB. One process may open it once only, so those that are open are shared."""
    import lmdb

    status = os.stat(path / DATA_FILE)
    key = (status.st_dev, status.st_ino)
    environment = _OPEN.get(key)
    if environment is None:
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        except lmdb.Error as error:
            raise InputError(f"{shown_path(path / DATA_FILE)} is no LMDB that can be read ({error}).") from None
        _OPEN[key] = environment
    return environment
