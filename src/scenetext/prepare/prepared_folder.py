"""The folder of a data set: what it holds, whether it may be written, and how it takes an earlier one's place."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.system.files import link_or_copy, replacing_folder
from scenetext.system.locks import only_writer

PRODUCTS = ("images", "train.txt", "val.txt", "test.txt", "charset.txt", "report.json")
"""What `prepare` writes into the folder."""

_LEFT_OVER = re.compile(rf"\.({'|'.join(map(re.escape, PRODUCTS))})\..+")  # of a killed prepare, before it was one step


def check_prepared_folder(out: Path, raw: Path, raw_pictures: Sequence[Path]) -> None:
    """Checks that writing a data set to a folder touches neither raw files nor somebody else's pictures.

    Args:
        out: the folder to write.
        raw: the folder of the raw files.
        raw_pictures: the zips and folders of raw pictures.

    Raises:
        InputError: it would, or the folder cannot be replaced.
    """
    shown, real, images = shown_path(out), out.resolve(), out / "images"
    in_pictures = any(real.is_relative_to(path.resolve()) for path in raw_pictures)
    if in_pictures or real == raw.resolve() or raw.resolve().is_relative_to(images.resolve()):
        raise InputError(f"{shown} holds the raw files; name another folder, since raw files are never changed.")
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{shown} is a file; name a folder.")
    if images.exists() and not (images.is_dir() and set(os.listdir(images)) <= {"train", "test"}):
        raise InputError(
            f"{shown_path(images)} was not written by prepare; name another folder or move {shown_path(images)} away."
        )
    if os.path.ismount(real):
        raise InputError(f"{shown} is a mounted disk, which cannot be replaced as a whole; name a folder in it.")
    if Path.cwd().is_relative_to(real):
        raise InputError(
            f"{shown} is the folder that this command runs in, which it replaces; run it from another one."
        )


@contextmanager
def replacing_prepared_folder(out: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `out` when the block ends well; `out`'s other files stay.

    Args:
        out: the folder of the data set; a link to a folder stays a link.

    Raises:
        InputError: a file in `out` is neither prepare's nor can it be kept.
        RunError: another process prepares into `out` now.
    """
    real = out.resolve()
    with only_writer(real), replacing_folder(real) as folder:
        yield folder
        if real.is_dir():
            _keep_other_files(real, folder)


def _keep_other_files(old: Path, new: Path) -> None:
    """Gives the new folder what is not prepare's in the old one, as second names of the same files."""
    for entry in list(os.scandir(old)):
        if entry.name in PRODUCTS or _LEFT_OVER.fullmatch(entry.name):
            continue
        try:
            _link(entry, new / entry.name, os.stat(old).st_dev)
        except OSError as error:
            raise InputError(
                f"{shown_path(entry.path)} was not written by prepare and cannot be kept while the folder is replaced "
                f"({error.strerror}); move it away or name another folder."
            ) from None


def _link(entry: os.DirEntry[str], target: Path, device: int) -> None:
    """Gives a file, or every file in a folder, a second name."""
    if entry.is_dir(follow_symlinks=False):
        if os.stat(entry.path).st_dev != device:
            raise OSError(0, "it is a mounted disk")
        target.mkdir()
        for below in list(os.scandir(entry.path)):
            _link(below, target / below.name, device)
        shutil.copystat(entry.path, target)
    elif entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
    else:
        link_or_copy(entry.path, target)
