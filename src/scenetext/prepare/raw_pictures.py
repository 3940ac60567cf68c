"""The pictures of a competition, by the names that a data set gives them, and which picture a label means."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from scenetext.data.sources.folder import Folder
from scenetext.data.sources.images import ImageSource
from scenetext.data.sources.picture_files import IMAGE_SUFFIXES, PassedOver
from scenetext.data.sources.zips import Zips
from scenetext.errors import InputError
from scenetext.prepare.raw_files import describe_file
from scenetext.system.archives import open_zip, zip_entries
from scenetext.system.file_names import shown_name, shown_path


class RawPictures:
    """The pictures of a zip or a folder, by names without the folders that all of them share.

    Args:
        path: a zip or a folder of pictures.

    Attributes:
        path: as given.
        names: the names in natural order ("2.jpg" before "10.jpg").
        passed_over: what is no picture; see `data.sources.picture_files`.
        size_bytes: the pictures' total size.

    Raises:
        InputError: the zip is missing, broken or unsafe, or there is no picture.
    """

    def __init__(self, path: Path):
        self.path = path
        self._source: ImageSource
        if path.is_dir():
            self._source = Folder(path)
        else:
            with open_zip(path) as archive:
                zip_entries(archive)  # refuses what is unsafe
            self._source = Zips(path, [path], whole_paths=True)
        paths = self._source.names()
        self.passed_over: PassedOver = self._source.passed_over
        if not paths:
            raise InputError(f"{shown_path(path)} holds no picture ({', '.join(IMAGE_SUFFIXES)}).")
        self._top = _shared_folders(paths)
        self._prefix = "".join(f"{folder}/" for folder in self._top)
        self.names = [name[len(self._prefix) :] for name in paths]
        self._known = set(self.names)
        bare = Counter(map(_bare_name, self.names))
        self._by_bare_name = {_bare_name(name): name for name in self.names if bare[_bare_name(name)] == 1}
        self.size_bytes = sum(map(self._bytes_of, paths))

    def find(self, name: str, shared: tuple[str, ...] = ()) -> str | None:
        """The picture that a label means.

        The folders of a label count. Those may be left out that the pictures' own names leave out, and those that all
        labels share, because they say nothing about which picture is meant. A label without a folder may mean a picture
        in any folder, where only one has this file name.

        Args:
            name: what the label says.
            shared: the folders that all labels share; see `shared_label_folders`.

        Returns:
            One of `names`; None where the label means none of them.
        """
        if "\\" in name and name in self._known:  # as names are shown that hold bytes beyond UTF-8
            return name
        parts = tuple(map(shown_name, _parts(name)))  # as the pictures' names are shown
        most = min(len(self._top), len(parts) - 1)
        # labels that all begin with the pictures' own folders are whole paths
        left_out = range(most, -1, -1) if shared[: len(self._top)] == self._top else range(most + 1)
        for start in range(len(shared) + 1):
            if parts[:start] != shared[:start]:
                break
            for count in left_out:
                rest = parts[start:]
                if rest[:count] == self._top[len(self._top) - count :] and "/".join(rest[count:]) in self._known:
                    return "/".join(rest[count:])
        return self._by_bare_name.get(parts[-1]) if len(parts) == 1 else None

    def missing(self, name: str) -> str:
        """Why there is no picture for a label: a sentence without its full stop."""
        told = f"{shown_name(self.path.name)} holds no picture {name!r}"
        other = self._by_bare_name.get(_parts(name)[-1])
        return f"{told}; {other} has the same file name but lies in another folder" if other else told

    def read(self, name: str) -> bytes:
        """The bytes of a picture; safe to call from several threads.

        Raises:
            InputError: the entry is broken or the file cannot be read.
        """
        try:
            return self._source.read(self._prefix + name)
        except InputError as error:  # the report names no folder of this machine
            told = str(error).replace(shown_path(self.path), shown_name(self.path.name), 1)
            raise InputError(told) from None

    def leads_elsewhere(self, name: str) -> bool:
        """Whether a link leads from the picture's name to a file outside the folder."""
        if not isinstance(self._source, Folder):
            return False
        return not Path(self._source.file(self._prefix + name)).resolve().is_relative_to(self.path.resolve())

    def location(self, name: str) -> str:
        """What messages call a picture, for example "train_images.zip/17.jpg"."""
        return f"{shown_name(self.path.name)}/{name}"

    def describe(self, hashes: Mapping[str, str]) -> dict[str, str | int]:
        """The source for a report; `hashes` holds the SHA-256 of each picture, which stand for a folder's own."""
        if not self.path.is_dir():
            return describe_file(self.path)
        digest = hashlib.sha256("".join(f"{hashes[name]} {name}\n" for name in self.names).encode())
        return {"file": f"{shown_name(self.path.name)}/", "size_bytes": self.size_bytes, "sha256": digest.hexdigest()}

    def _bytes_of(self, path: str) -> int:
        try:
            return self._source.fingerprint(path)[0]
        except InputError:  # a link that leads nowhere takes no room; reading names it
            return 0


def shared_label_folders(names: Iterable[str]) -> tuple[str, ...]:
    """The folders with which every label's name begins."""
    return _shared_folders(name.replace("\\", "/") for name in names)


def _shared_folders(names: Iterable[str]) -> tuple[str, ...]:
    """The folders in which all names lie."""
    shared: tuple[str, ...] | None = None
    for name in names:
        folders = _parts(name)[:-1]
        if shared is None:
            shared = folders
        elif folders[: len(shared)] != shared:
            same = [own == other for own, other in zip(shared, folders, strict=False)]
            shared = shared[: [*same, False].index(False)]
    return shared or ()


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts or (name,)


def _bare_name(name: str) -> str:
    return name.rpartition("/")[2]
