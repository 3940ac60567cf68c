"""Opening pictures: a folder, zips, LMDBs or one file, all read by name through the same door."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Protocol

from scenetext.data.sources.folder import Folder, SingleFile
from scenetext.data.sources.lmdbs import DATA_FILE, Lmdbs
from scenetext.data.sources.names import Names
from scenetext.data.sources.picture_files import IMAGE_SUFFIXES, PassedOver, is_junk_path, kind_of
from scenetext.data.sources.zips import Zips
from scenetext.errors import InputError
from scenetext.system.file_names import shown_path


class ImageSource(Protocol):
    """A readable set of picture files; threads may read at the same time.

    Attributes:
        path: the folder or file that was opened.
        passed_over: what `names` leaves out because it is no picture, junk, or read already; a folder's is empty before
            `names` is called.
    """

    path: Path
    passed_over: PassedOver

    def names(self) -> Names:
        """Names of all pictures in natural order; each can be encoded and stays on one line."""

    def read(self, name: str) -> bytes:
        """The bytes of one picture file; InputError when it is not there."""

    def location(self, name: str) -> str:
        """What an error message calls the picture."""

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Two numbers that change with the picture's content, without reading it; InputError when it is not there.

        In folders and zips the first one is the picture's size in bytes.
        """


def open_images(path: str | Path) -> ImageSource:
    """Opens pictures.

    Args:
        path: a folder of pictures, a zip, a folder that holds zips and nothing else that could be meant, an LMDB, a
            folder of LMDBs, or a single picture file; `picture_files.kind_of` decides which files are pictures.

    Raises:
        InputError: there is nothing at `path`, or it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    shown = shown_path(path)
    if not path.is_file():
        raise InputError(f"{shown} does not exist or is no file; give a folder, a zip, an LMDB or a picture.")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if kind_of(path.name) is not None:
            raise InputError(f"{shown} has the name of a junk file, which begins with a dot; rename it to read it.")
        return SingleFile(path)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return Zips(path, [path])
    raise InputError(
        f"{shown} is neither a zip nor a picture ({', '.join(IMAGE_SUFFIXES)}); give a folder, a zip, an LMDB or a "
        "picture."
    )


def _open_folder(path: Path) -> ImageSource:
    if (path / DATA_FILE).is_file():
        return Lmdbs(path)
    zips, folders = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name.lower()
                if is_junk_path(entry.name):
                    continue
                if name.endswith(IMAGE_SUFFIXES):  # so one look into a folder of millions of pictures is enough
                    return Folder(path)
                if os.path.isdir(entry.path):
                    folders.append(path / entry.name)
                elif name.endswith(".zip"):
                    zips.append(path / entry.name)
    except OSError as error:
        raise InputError(f"{shown_path(path)} cannot be listed: {error.strerror}; allow it or remove it.") from None
    if zips and not folders:
        return Zips(path, sorted(zips))
    return Lmdbs(path) if any((folder / DATA_FILE).is_file() for folder in folders) else Folder(path)


def passed_over_notes(*sources: ImageSource) -> list[str]:
    """A sentence for each source of which `passed_over` knows something, each place named once."""
    notes = (f"{shown_path(source.path)}: {source.passed_over}" for source in sources if source.passed_over)
    return list(dict.fromkeys(notes))
