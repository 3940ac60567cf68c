"""Where the pictures of lines lie: a folder, a zip, or an LMDB, read alike by name."""

from __future__ import annotations

import os
import threading
import zipfile
from pathlib import Path
from typing import Protocol

from scenetext.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImageSource(Protocol):
    """A readable set of image files.

    Attributes:
        path: the folder or file that was opened.
    """

    path: Path

    def names(self) -> list[str]:
        """Names of all images, sorted."""

    def read(self, name: str) -> bytes:
        """The bytes of one image file; InputError when it is not there."""

    def place(self, name: str) -> str:
        """What an error message calls the image."""

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Two numbers that change with the image's content, without reading it; InputError when it is not there."""


class Folder:
    """Images below a folder; names are relative paths with forward slashes."""

    def __init__(self, path: Path):
        self.path = path

    def names(self) -> list[str]:
        found = []
        for folder, _, files in os.walk(self.path):  # pathlib keeps several strings for each of millions
            prefix = Path(folder).relative_to(self.path).as_posix()
            prefix = "" if prefix == "." else f"{prefix}/"
            found += [f"{prefix}{file}" for file in files if file.lower().endswith(SUFFIXES)]
        found.sort()
        return found

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.place(name)} cannot be read: {error.strerror}.") from None

    def place(self, name: str) -> str:
        return str(self.path / name)

    def fingerprint(self, name: str) -> tuple[int, int]:
        return _size_and_time(os.path.join(self.path, name))  # joining Paths would double the time


class SingleFile:
    """One image file."""

    def __init__(self, path: Path):
        self.path = path

    def names(self) -> list[str]:
        return [self.path.name]

    def read(self, name: str) -> bytes:
        return self.path.read_bytes()

    def place(self, name: str) -> str:
        return str(self.path)

    def fingerprint(self, name: str) -> tuple[int, int]:
        return _size_and_time(self.path)


class Zip:
    """Images inside a zip, by their bare file names when those are unique, else by their paths in it."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise InputError(f"{path} is no whole zip file: fetch it again.") from None
        inside = [
            n
            for n in self._file.namelist()
            if n.lower().endswith(SUFFIXES) and "__MACOSX" not in n and not Path(n).name.startswith("._")
        ]
        bare = {Path(n).name: n for n in inside}
        self._inside = bare if len(bare) == len(inside) else {n: n for n in inside}
        self._lock = threading.Lock()  # one file position serves all threads

    def names(self) -> list[str]:
        return sorted(self._inside)

    def read(self, name: str) -> bytes:
        inside = self._path_inside(name)
        with self._lock:
            return self._file.read(inside)

    def place(self, name: str) -> str:
        return f"{self.path}:{self._inside.get(name, name)}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        entry = self._file.getinfo(self._path_inside(name))
        return entry.file_size, entry.CRC

    def _path_inside(self, name: str) -> str:
        if name not in self._inside:
            raise InputError(f"{self.path} holds no image {name}.")
        return self._inside[name]


class Lmdb:
    """Images of PaddleOCR's LMDB layout: keys `image-%09d`, counted from 1; names are those numbers."""

    def __init__(self, path: Path):
        import lmdb

        self.path = path
        self._environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        with self._environment.begin() as transaction:
            count = transaction.get(b"num-samples")
        if count is None:
            raise InputError(f"{path} is an LMDB without the key num-samples, so not one of text lines.")
        self.count = int(count)
        self._fingerprint = _size_and_time(path / "data.mdb")

    def names(self) -> list[str]:
        return [f"{index:09d}" for index in range(1, self.count + 1)]

    def read(self, name: str) -> bytes:
        data = self._get(f"image-{name}")
        if data is None:
            raise InputError(f"{self.path} holds no image-{name}.")
        return data

    def label(self, name: str) -> str:
        """The label of one image."""
        data = self._get(f"label-{name}")
        if data is None:
            raise InputError(f"{self.path} holds no label-{name}.")
        return data.decode("utf-8")

    def place(self, name: str) -> str:
        return f"{self.path}:image-{name}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Those of the file that holds all images: they are the same for every name, even for one that is missing."""
        return self._fingerprint

    def _get(self, key: str) -> bytes | None:
        with self._environment.begin() as transaction:
            return transaction.get(key.encode())


def open_images(path: str | Path) -> ImageSource:
    """Opens a folder, a zip, an LMDB folder or a single image file.

    Raises:
        InputError: there is nothing at `path`, or it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        return Lmdb(path) if (path / "data.mdb").is_file() else Folder(path)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return SingleFile(path)
    if path.is_file():
        return Zip(path)
    raise InputError(f"{path} does not exist; give a folder, a zip or an image file.")


def _size_and_time(path: str | Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return status.st_size, status.st_mtime_ns
