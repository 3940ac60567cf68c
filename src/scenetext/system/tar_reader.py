"""The entries of a tar, gzipped or not, one after the other; every length is bounded before anything is read.

`tarfile` of the Pythons that this project runs on reads the headers of long names and attributes whole, whatever their
size, searches them in quadratic time (CVE-2024-6232), goes round in circles on negative sizes (CVE-2025-8194), and
keeps every entry. Here are the formats that `tar` and `tarfile` write: POSIX.1-1988 (ustar), POSIX.1-2001 (pax) and
GNU. Links, devices and sparse files are entries of another kind than "file"; their content is not read.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from scenetext.errors import InputError
from scenetext.system.untrusted import reading

FILE, FOLDER, OTHER = "file", "folder", "link or device"
REMEDY = "fetch it again"
_BLOCK = 512
_CHUNK_BYTES = 1 << 20
_MOST_EXPANSION, _SPARE_BYTES = 50, 100_000_000  # weights shrink by less than 2; a bomb by 1,000
_LARGEST_HEADER = 1 << 16  # of a long name (a path has at most 4,096 bytes) or of attributes
_MOST_HEADERS = 10_000  # a tar of weights has some ten
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER}
_LONG_NAME, _LONG_LINK, _ATTRIBUTES, _COMMON_ATTRIBUTES = b"L", b"K", b"x", b"g"
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([0-9]{1,5}) ([^=\n]{1,255})=")


class TarEntry(NamedTuple):
    """An entry: its name as stored, FILE, FOLDER or OTHER, and its size."""

    name: bytes
    kind: str
    size_bytes: int


class TarReader:
    """Reads a tar from its beginning to its end, once.

    Args:
        path: the file.

    Raises:
        InputError: here and from every method: the tar is missing, broken, cut off, or would unpack beyond reason.
    """

    def __init__(self, path: Path):
        self._path = path
        self._place = ""
        with self._net():
            self._file: IO[bytes] = open(path, "rb")  # noqa: SIM115  closed by __exit__
            packed = os.fstat(self._file.fileno()).st_size
            self._is_packed = self._file.read(2) == b"\x1f\x8b"
            self._file.seek(0)
        self._source = gzip.GzipFile(fileobj=self._file) if self._is_packed else self._file
        self._most_bytes = _MOST_EXPANSION * packed + _SPARE_BYTES if self._is_packed else packed

    def __enter__(self) -> TarReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self._source.close()
        self._file.close()

    def entries(self) -> Iterator[TarEntry]:
        """The entries in their order. What the caller does not read of an entry is passed over."""
        at, name, size = 0, None, None  # of the next header, and what attributes have said about it
        for count in range(_MOST_HEADERS):
            self._place = f" (header {count + 1}, byte {at})"
            if at > self._most_bytes:
                raise self._too_much()
            header = self._header(at)
            if header is None:
                self._check_end()
                return
            kind = header[156:157]
            stated = _number(header[124:136])
            if stated is None:
                raise self._broken("a size is no number")
            if kind in (_LONG_NAME, _LONG_LINK, _ATTRIBUTES, _COMMON_ATTRIBUTES):
                data = self._extension(stated)
                if kind == _LONG_NAME:
                    name = data.partition(b"\0")[0]
                elif kind == _ATTRIBUTES:
                    name, size = self._attributes(data, name)
                at += _BLOCK + _padded(stated)
                continue
            entry = TarEntry(name or _name(header), _KINDS.get(kind, OTHER), stated if size is None else size)
            # the first tars marked folders by the slash alone
            is_folder = entry.kind == FILE and entry.name.endswith(b"/")
            length = entry.size_bytes if entry.kind == FILE else 0
            at += _BLOCK
            if at + length > self._most_bytes:
                raise self._too_much()
            yield entry._replace(kind=FOLDER) if is_folder else entry
            at, name, size = at + _padded(length), None, None
        raise self._broken(f"it holds more than {_MOST_HEADERS} entries")

    def read(self, entry: TarEntry) -> Iterator[bytes]:
        """The bytes of the file that `entries` has just yielded, piece by piece."""
        self._place = f": the entry {entry.name.decode('utf-8', 'backslashreplace')!r}"
        left = entry.size_bytes
        while left:
            piece = self._read(min(left, _CHUNK_BYTES))
            left -= len(piece)
            yield piece

    def _header(self, at: int) -> bytes | None:
        """The header at a byte of the unpacked tar, None at the end mark."""
        with self._net():
            self._source.seek(at)
        header = self._read(_BLOCK)
        if not header.strip(b"\0"):
            return None
        sums = (_checksum(header), _checksum(header, signed=True))
        if _number(header[148:156]) not in sums:
            raise self._broken("a header's checksum is wrong")
        return header

    def _extension(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise self._broken(f"a name or its attributes take {size} bytes")
        return self._read(size)

    def _attributes(self, data: bytes, name: bytes | None) -> tuple[bytes | None, int | None]:
        """The name and size that pax attributes give the next entry."""
        at, size = 0, None
        while found := _RECORD.match(data, at):
            end = at + int(found[1])
            key, value = found[2], data[found.end() : end - 1]
            if not found.end() < end <= len(data):
                raise self._broken("attributes are damaged")
            if key.startswith(b"GNU.sparse."):
                raise self._broken("it holds a sparse file: pack it without tar's -S")
            if key == b"path":
                name = value
            if key == b"size":
                if not value.isdigit() or len(value) > 15:
                    raise self._broken("a size is no number")
                size = int(value)
            at = end
        return name, size

    def _check_end(self) -> None:
        """Reads what follows the end mark of a gzipped tar, since the checksum is behind it."""
        while self._is_packed:
            with self._net():
                if not self._source.read(_CHUNK_BYTES):
                    return
                if self._source.tell() > self._most_bytes:
                    raise self._too_much()

    def _read(self, size: int) -> bytes:
        with self._net():
            data = self._source.read(size)
            if len(data) < size:
                raise self._broken("it is cut off")
        return data

    def _net(self) -> contextlib.AbstractContextManager[None]:
        return reading(f"{self._path}{self._place}", "a whole tar file", REMEDY)

    def _too_much(self) -> InputError:
        return self._broken(f"it is cut off, or would unpack to more than {self._most_bytes} bytes")

    def _broken(self, cause: str) -> InputError:
        return InputError(f"{self._path}{self._place} is no whole tar file ({cause}): {REMEDY}.")


def _number(field: bytes) -> int | None:
    """A number of a header: octal digits, or binary where the first bit is set; None if it is neither or negative."""
    if field[0] & 0x80:
        return None if field[0] & 0x40 else int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    found = _OCTAL.fullmatch(field)
    return int(found[1] or b"0", 8) if found else None


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _checksum(header: bytes, signed: bool = False) -> int:
    """The sum of the header's bytes, with spaces in the place of the sum; old tars took bytes for signed numbers."""
    rest = header[:148] + header[156:]
    return 8 * ord(" ") + sum(rest) - (256 * sum(byte > 127 for byte in rest) if signed else 0)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
