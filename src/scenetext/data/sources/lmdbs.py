"""Text lines in PaddleOCR's LMDB layout: keys `num-samples`, `image-%09d` and `label-%09d`, counted from 1."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from scenetext.data.sources.folder import FolderWalk
from scenetext.data.sources.lmdb_file import LmdbFile
from scenetext.data.sources.names import Names
from scenetext.data.sources.picture_files import LARGEST_BYTES, PassedOver
from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.system.files import size_and_time
from scenetext.text.records import RecordTable

DATA_FILE = "data.mdb"
"""The file that makes a folder an LMDB."""

_MOST_DIGITS = 18  # of num-samples
_LARGEST_LABEL_BYTES = 1 << 16


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
        self._file = LmdbFile(path / DATA_FILE)
        count = self._file.get(b"num-samples", LARGEST_BYTES)
        if count is None or not count.isdigit() or len(count) > _MOST_DIGITS:
            wrong = "without the key num-samples" if count is None else "whose key num-samples holds no number"
            raise InputError(
                f"{shown_path(path)} is an LMDB {wrong}, so not one of text lines: make it again, or write the number "
                "of its lines under that key."
            )
        self.count = int(count)
        if self.count >= self._file.entries:
            raise InputError(
                f"{shown_path(path)} holds {self._file.entries} entries, but its num-samples is {self.count}: copy it "
                "again, or correct num-samples."
            )
        beyond = b"label-%09d" % (self.count + 1)
        if self._file.get(beyond, _LARGEST_LABEL_BYTES) is not None:  # as an interrupted create_lmdb_dataset leaves it
            warnings.warn(
                f"{shown_path(path)} also holds {beyond.decode()}, but its num-samples is {self.count}: the lines "
                "beyond are not read; correct num-samples to read them.",
                stacklevel=1,
            )

    def image(self, number: str) -> bytes | None:
        """The bytes of a picture; None without one of this number."""
        return self._file.get(f"image-{number}".encode("utf-8", "replace"), LARGEST_BYTES)

    def names(self) -> Iterator[str]:
        """The name of every line, in order."""
        return (f"{self.prefix}{number:09d}" for number in range(1, self.count + 1))

    def table(self) -> RecordTable:
        """Names and labels of all lines."""
        return RecordTable.of_pairs(zip(self.names(), self._labels(), strict=True), self._place)

    def _labels(self) -> Iterator[str]:
        """Labels in order, which is the keys' order: no key is looked up."""
        found = self._file.items(b"label-", _LARGEST_LABEL_BYTES)
        for number in range(1, self.count + 1):
            wanted = b"label-%09d" % number
            key, value = next(found, (b"", b""))
            while key < wanted and key:  # an entry that no line has
                key, value = next(found, (b"", b""))
            if key != wanted:
                raise InputError(
                    f"{shown_path(self.path)} holds no {wanted.decode()}, but num-samples is {self.count}."
                )
            try:
                yield value.decode("utf-8")
            except UnicodeDecodeError:
                raise InputError(f"{shown_path(self.path)}: {wanted.decode()} is not UTF-8.") from None

    def _place(self, _name: str, number: int) -> str:
        return f"{shown_path(self.path)}:image-{number:09d}"


def lmdb_folders(path: Path) -> list[tuple[Path, str]]:
    """The folders of all LMDBs at or below a folder, in natural order, each with the prefix of its lines' names.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        fault = "is a file" if path.exists() else "does not exist"
        raise InputError(f"The folder {shown_path(path)} {fault}: give the one that holds the LMDBs.")
    folders = FolderWalk(path).folders()
    found = [(folder, prefix) for folder, prefix in folders if (folder / DATA_FILE).is_file()]
    if not found:
        raise InputError(f"{shown_path(path)} is no LMDB (it has no {DATA_FILE}), and no folder below it is one.")
    return found


def open_lmdbs(paths: Sequence[Path]) -> Lmdbs:
    """The lines of LMDBs, or of all LMDBs below folders; of several, names begin with the folder's number, from 1.

    Raises:
        InputError: see `Lmdbs`.
    """
    if len(paths) == 1:
        return Lmdbs(paths[0])
    places = [
        (place, f"{number}/{prefix}") for number, path in enumerate(paths, 1) for place, prefix in lmdb_folders(path)
    ]
    return Lmdbs(paths[0], [Lmdb(*place) for place in places])


class Lmdbs:
    """Pictures of an LMDB, or of all LMDBs below a folder: "000000017", and below a folder "ic15/000000017".

    Links to folders are followed. Names are in natural order of the folders.

    Args:
        path: the LMDB, or the folder.
        parts: the LMDBs, where they are open already; by default all that are found.

    Attributes:
        path: as given.
        parts: the LMDBs.
        passed_over: always empty: every line of an LMDB is a picture.

    Raises:
        InputError: there is no LMDB, or one is not of text lines.
    """

    def __init__(self, path: Path, parts: Sequence[Lmdb] | None = None):
        self.path = path
        self.passed_over = PassedOver()
        self.parts = [Lmdb(*place) for place in lmdb_folders(path)] if parts is None else list(parts)
        self._by_prefix = {part.prefix: part for part in self.parts}

    def names(self) -> Names:
        return Names(name for part in self.parts for name in part.names())

    def read(self, name: str) -> bytes:
        part, number = self._find(name)
        data = part.image(number) if part else None
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
