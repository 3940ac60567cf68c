"""Pictures in one or several zips, by an index of some 30 bytes a picture: their directories stay on the disk."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from scenetext.data.sources.names import SUFFIXES, Names
from scenetext.data.sources.zip_directory import ZipDirectory, ZipEntry
from scenetext.errors import InputError

_ZIP_SHIFT = 48  # a place is the zip's number and, in so many bits, where in it the entry stands
_PLACE_BYTES = 8


class Zips:
    """Images inside a zip, or inside several, by their bare file names when those are unique, else by their paths.

    Inside one of several zips, paths begin with the zip's name. An image that has a unique bare name is also found by
    its path and by what the path ends with.

    Args:
        path: what messages call the whole.
        files: the zips.

    Raises:
        InputError: one is no whole zip file.
    """

    def __init__(self, path: Path, files: Sequence[Path]):
        self.path = path
        self._zips = [ZipDirectory(file) for file in files]
        keys = sorted(self._keys(bare=True))
        self._is_bare = all(_name_in(key) != _name_in(after) for key, after in pairwise(keys))
        if not self._is_bare:
            keys = sorted(self._keys(bare=False))
            # of two entries of one path the later one counts, as in `zipfile`
            keys = [key for key, after in pairwise([*keys, b""]) if _name_in(key) != _name_in(after)]
        places = (int.from_bytes(key[-_PLACE_BYTES:], "big") for key in keys)
        self._places = np.fromiter(places, np.uint64, len(keys))
        self._names = Names(_name_in(key).decode("utf-8") for key in keys)

    def names(self) -> Names:
        return self._names

    def read(self, name: str) -> bytes:
        archive, entry = self._find(name)
        return archive.read(entry)

    def place(self, name: str) -> str:
        try:
            archive, entry = self._find(name)
        except InputError:
            return f"{self.path}:{name}"
        return f"{archive.path}:{entry.path}"

    def fingerprint(self, name: str) -> tuple[int, int]:
        _, entry = self._find(name)
        return entry.size_bytes, entry.crc

    def _keys(self, bare: bool) -> Iterator[bytes]:
        """Name, a zero byte, and the place of every picture: sorted by name where keys are sorted."""
        for number, archive in enumerate(self._zips):
            for at, entry in archive.entries():
                last = entry.path.rpartition("/")[2]
                if last.lower().endswith(SUFFIXES) and not last.startswith("._") and "__MACOSX" not in entry.path:
                    place = number << _ZIP_SHIFT | at
                    name = last if bare else self._path(archive, entry)
                    yield name.encode("utf-8") + b"\0" + place.to_bytes(_PLACE_BYTES, "big")

    def _path(self, archive: ZipDirectory, entry: ZipEntry) -> str:
        return entry.path if len(self._zips) == 1 else f"{archive.path.name}/{entry.path}"

    def _find(self, name: str) -> tuple[ZipDirectory, ZipEntry]:
        wanted = name.rpartition("/")[2] if self._is_bare else name
        number = bisect_left(self._names, wanted)
        if number < len(self._names) and self._names[number] == wanted:
            place = int(self._places[number])
            archive = self._zips[place >> _ZIP_SHIFT]
            entry = archive.entry(place & ((1 << _ZIP_SHIFT) - 1))
            if f"/{self._path(archive, entry)}".endswith(f"/{name}"):
                return archive, entry
        raise InputError(f"{self.path} holds no image {name}.")


def _name_in(key: bytes) -> bytes:
    return key[: -_PLACE_BYTES - 1]
