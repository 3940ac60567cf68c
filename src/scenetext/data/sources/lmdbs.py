"""Text lines in PaddleOCR's LMDB layout: keys `num-samples`, `image-%09d` and `label-%09d`, counted from 1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from scenetext.data.sources.names import Names
from scenetext.errors import InputError
from scenetext.system.files import size_and_time
from scenetext.text.records import RecordTable

_OPEN: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()  # environments by device and inode


class Lmdb:
    """The lines of one LMDB, read from the mapped file when asked for.

    Threads may read at the same time.

    Args:
        path: the folder that holds data.mdb.
        prefix: what stands before the number in a line's name.

    Raises:
        InputError: it is no LMDB, or not one of text lines.
    """

    def __init__(self, path: Path, prefix: str):
        self.path, self.prefix = path, prefix
        self._environment = _environment(path)
        count = self.get("num-samples") or b""
        if not count.isdigit():
            raise InputError(f"{path} is an LMDB whose key num-samples holds no number, so not one of text lines.")
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
                    raise InputError(f"{self.path} holds no {key.decode()}, but num-samples is {self.count}.")
                try:
                    yield cursor.value().decode("utf-8")
                except UnicodeDecodeError:
                    raise InputError(f"{self.path}: {key.decode()} is not UTF-8.") from None
                cursor.next()

    def _place(self, _name: str, number: int) -> str:
        return f"{self.path}:image-{number:09d}"


class Lmdbs:
    """Images of an LMDB, or of all LMDBs below a folder: "000000017", and below a folder "ic15/000000017".

    Args:
        path: the LMDB, or the folder.

    Raises:
        InputError: there is none, or one is no LMDB of text lines.
    """

    def __init__(self, path: Path):
        self.path = path
        self.parts = [Lmdb(folder, _prefix(folder, path)) for folder in _folders(path)]
        if not self.parts:
            raise InputError(f"{path} is no LMDB (it has no data.mdb), and no folder below it is one.")
        self._by_prefix = {part.prefix: part for part in self.parts}

    def names(self) -> Names:
        return Names(name for part in self.parts for name in part.names())

    def read(self, name: str) -> bytes:
        part, number = self._find(name)
        data = part.get(f"image-{number}") if part else None
        if data is None:
            raise InputError(f"{part.path if part else self.path} holds no image-{number}.")
        return data

    def place(self, name: str) -> str:
        part, number = self._find(name)
        return f"{part.path if part else self.path}:image-{number}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Those of the file that holds the image: they are the same for every name in it, even for one that is missing."""
        part, _ = self._find(name)
        return size_and_time((part.path if part else self.path) / "data.mdb")

    def _find(self, name: str) -> tuple[Lmdb | None, str]:
        """The LMDB, None when there is no such one, and the number in it."""
        folder, slash, number = name.rpartition("/")
        part = self._by_prefix.get(folder + slash)
        return part, number if part else name


def _environment(path: Path) -> Any:
    """The opened LMDB. One process may open it once only, so those that are open are shared."""
    import lmdb

    status = os.stat(path / "data.mdb")
    key = (status.st_dev, status.st_ino)
    environment = _OPEN.get(key)
    if environment is None:
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        except lmdb.Error as error:
            raise InputError(f"{path / 'data.mdb'} is no LMDB that can be read ({error}).") from None
        _OPEN[key] = environment
    return environment


def _folders(path: Path) -> list[Path]:
    """All folders with a data.mdb at and below a path, sorted."""
    return sorted(Path(folder) for folder, _, files in os.walk(path) if "data.mdb" in files)


def _prefix(folder: Path, path: Path) -> str:
    return "" if folder == path else f"{folder.relative_to(path).as_posix()}/"
