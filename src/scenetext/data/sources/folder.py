"""Pictures below a folder, links followed, and a picture file alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from scenetext.data.sources.names import Names
from scenetext.data.sources.picture_files import (
    LARGEST_BYTES,
    Kind,
    PassedOver,
    is_junk_path,
    kind_of,
    with_forward_slashes,
)
from scenetext.errors import InputError
from scenetext.system.file_names import escaped_name, raw_names, shown_name, shown_path
from scenetext.system.files import size_and_time
from scenetext.system.regular_files import read_regular_file
from scenetext.text.natural_order import KEY_END, natural_key


class Folder:
    """Pictures below a folder; names are relative paths with forward slashes, as `system.file_names` shows them.

    Linked files and folders are read like others. `read` finds every file below the folder by its name, `names` lists
    the pictures.

    Attributes:
        path: the folder.
        passed_over: what the last call of `names` left out; empty before.
    """

    def __init__(self, path: Path):
        self.path = path
        self.passed_over = PassedOver()

    def names(self) -> Names:
        walk = FolderWalk(self.path)
        names = Names(walk.pictures())
        self.passed_over = walk.passed_over
        return names

    def read(self, name: str) -> bytes:
        path = self.file(name)
        try:
            return read_regular_file(path, LARGEST_BYTES, name)
        except InputError:  # asking for the location every time would take longer
            return read_regular_file(path, LARGEST_BYTES, self.location(name))

    def location(self, name: str) -> str:
        return f"{shown_path(self.path)}/{name}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        return size_and_time(self.file(name))

    def file(self, name: str) -> str:
        """The path of a file by its shown name; the file need not be there."""
        path = os.path.join(self.path, name)  # joining Paths would double the time
        if (name.isascii() and "\\" not in name) or os.path.lexists(path):
            return path
        found = map(self._raw_path, with_forward_slashes(name))
        return next(filter(os.path.lexists, found), path)

    def _raw_path(self, name: str) -> str:
        """The path of a file whose parts may have other names on the disk than the shown ones."""
        at = os.fspath(self.path)
        for part in name.split("/"):
            candidates = (os.path.join(at, raw) for raw in raw_names(part))
            at = next(filter(os.path.lexists, candidates), os.path.join(at, part))
        return at


class SingleFile:
    """One picture file.

    Attributes:
        path: the file.
        passed_over: always empty.
    """

    def __init__(self, path: Path):
        self.path = path
        self.passed_over = PassedOver()

    def names(self) -> Names:
        return Names([shown_name(self.path.name)])

    def read(self, name: str) -> bytes:
        return read_regular_file(self.path, LARGEST_BYTES, self.location(name))

    def location(self, name: str) -> str:
        return shown_path(self.path)

    def fingerprint(self, name: str) -> tuple[int, int]:
        return size_and_time(self.path)


class FolderWalk:
    """One walk through a folder and all folders below it, with one folder's entries in memory at a time.

    Links are followed, and no folder is visited twice, so loops of links end: a link that leads back into the tree is
    passed over, because its folder is read under its own name; of several links to one folder elsewhere the first in
    natural order counts.

    Args:
        root: the folder.

    Attributes:
        passed_over: what was left out so far.
    """

    def __init__(self, root: str | Path):
        self.root = os.fspath(root)
        self.passed_over = PassedOver()
        self._real_root = os.path.realpath(root)
        self._visited = {_identity(self.root)}

    def pictures(self) -> Iterator[str]:
        """The shown names of all pictures, in natural order of the whole names."""
        return self._pictures_below(self.root, "")

    def folders(self) -> Iterator[tuple[Path, str]]:
        """Each folder, the root first, and the prefix of names in it: "" or "sub/folder/"."""
        return self._folders_below(self.root, "")

    def _pictures_below(self, folder: str, prefix: str) -> Iterator[str]:
        pictures, folders = self._look(folder, prefix)
        tied = _tied(folders)  # with the slash in a folder's name, all files in "a" come after "a.jpg"
        for name in sorted(chain(pictures, tied), key=natural_key):
            if name not in tied:
                yield f"{prefix}{name}"
            elif len(tied[name]) == 1:
                yield from self._pictures_below(folders[name], f"{prefix}{name}")
            else:  # "1/" and "01/": their pictures mix
                below = (self._pictures_below(folders[each], f"{prefix}{each}") for each in tied[name])
                yield from sorted(chain.from_iterable(below), key=natural_key)

    def _folders_below(self, folder: str, prefix: str) -> Iterator[tuple[Path, str]]:
        yield Path(folder), prefix
        _, folders = self._look(folder, prefix)
        for name in sorted(folders, key=natural_key):
            yield from self._folders_below(folders[name], f"{prefix}{name}")

    def _look(self, folder: str, prefix: str) -> tuple[list[str], dict[str, str]]:
        """The shown names of a folder's pictures, and its folders: shown name with a slash → path."""
        pictures: list[str] = []
        folders: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _is_folder(entry):
                        folders.append(entry)
                        continue
                    kind = kind_of(entry.name)
                    # a link that leads nowhere stays, so that reading names it; a pipe is no picture
                    if kind is None and (entry.is_symlink() or entry.is_file()):
                        pictures.append(entry.name)
                    else:
                        self.passed_over.add(kind or Kind.NO_PICTURE, f"{prefix}{shown_name(entry.name)}")
        except OSError as error:  # its pictures would be missing without a word
            raise InputError(
                f"{shown_path(folder)} cannot be listed: {error.strerror}; allow it or remove it."
            ) from None
        names = _shown_names([*pictures, *(entry.name for entry in folders)])
        wanted = {}
        for entry, name in sorted(
            zip(folders, names[len(pictures) :], strict=True), key=lambda pair: natural_key(pair[1])
        ):
            if self._enter(entry, f"{prefix}{name}"):
                wanted[f"{name}/"] = entry.path
        return names[: len(pictures)], wanted

    def _enter(self, entry: os.DirEntry[str], name: str) -> bool:
        """Whether to visit a folder; counts the files of a junk folder, and a link to a folder that is read anyway."""
        if is_junk_path(entry.name):
            for folder, _, files in os.walk(entry.path):
                below = os.path.relpath(folder, entry.path)
                for file in files:
                    path = os.path.normpath(os.path.join(name, below, file))
                    self.passed_over.add(Kind.JUNK, shown_path(path.replace(os.sep, "/")))
            return False
        identity = _identity(entry.path)
        if identity in self._visited or (entry.is_symlink() and self._has_own_name(entry.path)):
            self.passed_over.add(Kind.LINKED, name)
            return False
        self._visited.add(identity)
        return True

    def _has_own_name(self, link: str) -> bool:
        """Whether the folder that a link leads to lies below the root, where the walk comes without links."""
        real = os.path.realpath(link)
        if not Path(real).is_relative_to(self._real_root):
            return False
        return not is_junk_path(os.path.relpath(real, self._real_root).replace(os.sep, "/"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link to itself, or into a closed folder, is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _shown_names(raw: list[str]) -> list[str]:
    """The names of one folder's entries as they are shown, no two alike."""
    shown = list(map(shown_name, raw))
    if shown == raw:
        return shown
    taken = set(raw)
    for index, (name, own) in enumerate(zip(shown, raw, strict=True)):
        if name != own and name in taken:  # a file has this very name
            shown[index] = escaped_name(own)
        taken.add(shown[index])
    return shown


def _tied(folders: Iterable[str]) -> dict[str, list[str]]:
    """Groups of folders that differ in leading zeros only, by their first names; most groups have one folder."""
    groups: dict[str, list[str]] = {}
    for name in sorted(folders, key=natural_key):
        groups.setdefault(natural_key(name).partition(KEY_END)[0], []).append(name)
    return {names[0]: names for names in groups.values()}
