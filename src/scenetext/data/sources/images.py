"""Where the pictures of lines lie: a folder, zips, or LMDBs, read alike by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.data.sources.names import SUFFIXES, Names
from scenetext.data.sources.zips import Zips
from scenetext.errors import InputError
from scenetext.system.files import size_and_time


class ImageSource(Protocol):
    """A readable set of image files; threads may read at the same time.

    Attributes:
        path: the folder or file that was opened.
    """

    path: Path

    def names(self) -> Names:
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

    def names(self) -> Names:
        return Names(_names_below(os.fspath(self.path), ""))

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.place(name)} cannot be read: {error.strerror}.") from None

    def place(self, name: str) -> str:
        return str(self.path / name)

    def fingerprint(self, name: str) -> tuple[int, int]:
        return size_and_time(os.path.join(self.path, name))  # joining Paths would double the time


class SingleFile:
    """One image file."""

    def __init__(self, path: Path):
        self.path = path

    def names(self) -> Names:
        return Names([self.path.name])

    def read(self, name: str) -> bytes:
        return self.path.read_bytes()

    def place(self, name: str) -> str:
        return str(self.path)

    def fingerprint(self, name: str) -> tuple[int, int]:
        return size_and_time(self.path)


def open_images(path: str | Path) -> ImageSource:
    """Opens images.

    Args:
        path: a folder of pictures, a zip, a folder that holds zips and nothing else that could be meant, an LMDB, a
            folder of LMDBs, or a single image file.

    Raises:
        InputError: there is nothing at `path`, or it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return SingleFile(path)
    if path.is_file():
        return Zips(path, [path])
    raise InputError(f"{path} does not exist; give a folder, a zip or an image file.")


def _open_folder(path: Path) -> ImageSource:
    if (path / "data.mdb").is_file():
        return Lmdbs(path)
    zips, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name.lower()
            if name.endswith(SUFFIXES):  # so one look into a folder of millions of pictures is enough
                return Folder(path)
            if entry.is_dir():
                folders.append(path / entry.name)
            elif name.endswith(".zip"):
                zips.append(path / entry.name)
    if zips and not folders:
        return Zips(path, sorted(zips))
    return Lmdbs(path) if any((folder / "data.mdb").is_file() for folder in folders) else Folder(path)


def _names_below(folder: str, prefix: str) -> Iterator[str]:
    """Names of the pictures below a folder in the order of whole names, with one folder's entries in memory."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    found += [] if entry.is_symlink() else [f"{entry.name}/"]
                elif entry.name.lower().endswith(SUFFIXES):
                    found.append(entry.name)
    except OSError as error:  # its pictures would be missing without a word
        raise InputError(f"{folder} cannot be looked into: {error.strerror}; allow it or take it away.") from None
    found.sort()  # the slash belongs to the name: all that lies in "a" stands behind "a.jpg"
    for name in found:
        if name.endswith("/"):
            yield from _names_below(os.path.join(folder, name[:-1]), f"{prefix}{name}")
        else:
            yield f"{prefix}{name}"
