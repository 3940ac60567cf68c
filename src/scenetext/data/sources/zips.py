"""Pictures in one or several zips, by an index of some 30 bytes a picture: their directories stay on the disk."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scenetext.data.sources.names import Names
from scenetext.data.sources.picture_files import PassedOver, kind_of, with_forward_slashes
from scenetext.data.sources.zip_directory import ZipDirectory, ZipEntry
from scenetext.errors import InputError
from scenetext.system.file_names import shown_name, shown_path
from scenetext.text.natural_order import KEY_END, natural_key

_ZIP_SHIFT = 48  # a position is the zip's number and, in so many bits, the entry's position in the zip
_POSITION_BYTES = 8
_NAME_STARTS = KEY_END.encode()


class Zips:
    """Pictures inside a zip, or inside several, by their bare file names when those are unique, else by their paths.

    Inside one of several zips, paths begin with the zip's name. A picture that has a unique bare name is also found by
    its path and by what the path ends with. Of two entries of one path the later one counts, as in `zipfile`.

    Args:
        path: what messages call the whole.
        files: the zips.
        whole_paths: names are paths even where bare names are unique.

    Attributes:
        path: as given.
        passed_over: the entries that are no pictures.

    Raises:
        InputError: one is no whole zip file.
    """

    def __init__(self, path: Path, files: Sequence[Path], whole_paths: bool = False):
        self.path = path
        self.passed_over = PassedOver()
        self._zips = [ZipDirectory(file) for file in files]
        self._is_bare = not whole_paths
        self._names, self._positions, repeated = self._index()
        if repeated and self._is_bare:
            self._is_bare = False
            self._names, self._positions, _ = self._index()

    def names(self) -> Names:
        return self._names

    def read(self, name: str) -> bytes:
        archive, entry = self._find(name)
        return archive.read(entry)

    def location(self, name: str) -> str:
        try:
            archive, entry = self._find(name)
        except InputError:
            return f"{shown_path(self.path)}:{name}"
        return f"{shown_path(archive.path)}:{entry.path}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        _, entry = self._find(name)
        return entry.size_bytes, entry.crc

    def _index(self) -> tuple[Names, np.ndarray, bool]:
        """The names in order, (N,) uint64 the positions of their entries, and whether a name repeats."""
        keys = sorted(self._keys())
        positions = array("Q")
        repeated = False

        def names() -> Iterator[str]:
            nonlocal repeated
            last = None
            for key in keys:
                name = key[: -_POSITION_BYTES - 1].partition(_NAME_STARTS)[2]
                position = int.from_bytes(key[-_POSITION_BYTES:], "big")
                if name != last:
                    positions.append(position)
                    yield name.decode("utf-8")
                else:
                    positions[-1] = position
                    repeated = True
                last = name

        return Names(names()), np.array(positions, np.uint64), repeated

    def _keys(self) -> Iterator[bytes]:
        """Of every picture the natural key of its name, a zero byte and its position; sorted keys have sorted names."""
        self.passed_over = PassedOver()
        for number, archive in enumerate(self._zips):
            for at, entry in archive.entries():
                kind = kind_of(entry.path)
                if kind is None:
                    position = number << _ZIP_SHIFT | at
                    name = entry.path.rpartition("/")[2] if self._is_bare else self._path(archive, entry)
                    yield (
                        natural_key(name).encode("utf-8", "surrogatepass")
                        + b"\0"
                        + position.to_bytes(_POSITION_BYTES, "big")
                    )
                elif not entry.path.endswith("/"):  # a folder's own entry
                    self.passed_over.add(kind, self._path(archive, entry))

    def _path(self, archive: ZipDirectory, entry: ZipEntry) -> str:
        return entry.path if len(self._zips) == 1 else f"{shown_name(archive.path.name)}/{entry.path}"

    def _find(self, name: str) -> tuple[ZipDirectory, ZipEntry]:
        for plain in with_forward_slashes(name):
            number = self._names.find(plain.rpartition("/")[2] if self._is_bare else plain)
            if number is None:
                continue
            position = int(self._positions[number])
            archive = self._zips[position >> _ZIP_SHIFT]
            entry = archive.entry(position & ((1 << _ZIP_SHIFT) - 1))
            if f"/{self._path(archive, entry)}".endswith(f"/{plain}"):
                return archive, entry
        raise InputError(f"{shown_path(self.path)} holds no image {name}.")
