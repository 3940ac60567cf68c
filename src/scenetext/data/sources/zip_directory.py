"""The directory of a zip, read from the disk entry by entry: `zipfile` keeps half a kilobyte for each.

PKWARE's APPNOTE.TXT: 4.3.12 the directory's entries, 4.3.14 to 4.3.16 its end, 4.3.7 the header before an entry's
bytes, 4.5.3 numbers beyond 32 bits.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scenetext.data.sources.picture_files import LARGEST_BYTES
from scenetext.data.sources.positioned_file import PositionedFile
from scenetext.errors import InputError
from scenetext.system.archives import ENCRYPTED, check_expansion, entry_name
from scenetext.system.file_names import shown_name, shown_path
from scenetext.system.regular_files import check_bytes

_ENTRY, _LOCAL, _END = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H"), struct.Struct("<4s4H2LH")
_END64, _LOCATOR64 = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_VARIABLE_SIZES, _VARIABLE_SIZES_AT = struct.Struct("<3H"), 28  # of an entry's name, extra field and comment
_LONGEST_COMMENT = 0xFFFF
_LONGEST_ENTRY = _ENTRY.size + 3 * 0xFFFF
_BLOCK_BYTES = 1 << 20  # of the directory read at once
_IN_EXTRA = 0xFFFFFFFF  # the number is in the extra field of kind 1
_STORED, _DEFLATED = 0, 8


class ZipEntry(NamedTuple):
    """A file in a zip: its path there with forward slashes, how it is packed, and at which byte of the zip."""

    path: str
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    at: int


class ZipDirectory:
    """A zip whose entries are looked up by their position in its directory.

    Threads may read at the same time. The file stays open as long as this lives.

    Args:
        path: the zip.

    Raises:
        InputError: it is no whole zip file, or one of several volumes.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = PositionedFile(path)
        size = self._file.size_bytes
        tail_at = max(0, size - _LOCATOR64.size - _END.size - _LONGEST_COMMENT)
        tail = self._read(tail_at, size - tail_at)
        found = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
        if found < 0:
            raise self._broken()
        _, disk, _, _, count, directory_bytes, directory_at, _ = _END.unpack_from(tail, found)
        self._end = tail_at + found
        if tail[max(0, found - _LOCATOR64.size) : found].startswith(b"PK\6\7"):
            self._end -= _LOCATOR64.size + _END64.size
            signature, _, _, _, disk, _, _, count, directory_bytes, directory_at = self._unpack(_END64, self._end)
            if signature != b"PK\6\6":
                raise self._broken()
        if disk:
            raise InputError(
                f"{shown_path(path)} is the last of several volumes: pack its files into one zip or several whole ones."
            )
        self._start = self._end - directory_bytes
        self._shift = self._start - directory_at  # of a zip behind a program that unpacks it
        if self._start < 0 or self._shift < 0 or (count and self._read(self._start, 4) != b"PK\1\2"):
            raise self._broken()

    def entries(self) -> Iterator[tuple[int, ZipEntry]]:
        """The position of every entry and the entry, in the directory's order.

        Raises:
            InputError: the directory is broken, or all entries unpack to more than pictures can; found at the end.
        """
        with open(self.path, "rb") as file:
            file.seek(self._start)
            at, block, offset, is_whole = self._start, b"", 0, False
            total = 0
            while at < self._end:
                if len(block) - offset < _LONGEST_ENTRY and not is_whole:
                    more = file.read(_BLOCK_BYTES)
                    block, offset, is_whole = block[offset:] + more, 0, not more
                entry, size = self._entry(block, offset)
                yield at, entry
                at, offset, total = at + size, offset + size, total + entry.size_bytes
        check_expansion(shown_path(self.path), [total], self.path)

    def entry(self, at: int) -> ZipEntry:
        """The entry at a position."""
        fixed = self._read(at, _ENTRY.size)
        variable_bytes = sum(_VARIABLE_SIZES.unpack_from(fixed, _VARIABLE_SIZES_AT))
        entry, _ = self._entry(fixed + self._read(at + _ENTRY.size, variable_bytes), 0)
        return entry

    def read(self, entry: ZipEntry) -> bytes:
        """The bytes of a file.

        Raises:
            InputError: they are damaged, or packed in a way that is not read here.
        """
        location = f"{shown_path(self.path)}:{entry.path}"
        if entry.flags & ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
            how = "encrypted" if entry.flags & ENCRYPTED else f"packed by method {entry.method}"
            raise InputError(
                f"{location} is {how}; pack it without a password, stored or deflated, as zip does by itself."
            )
        check_bytes(entry.size_bytes, LARGEST_BYTES, location)
        local = self._unpack(_LOCAL, entry.at)
        data = self._read(entry.at + _LOCAL.size + local[-2] + local[-1], entry.packed_bytes)
        try:
            if entry.method == _DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size_bytes or 1)
        except zlib.error as error:
            raise InputError(f"{location} is broken in the zip ({error}).") from None
        if local[0] != b"PK\3\4" or len(data) != entry.size_bytes or zlib.crc32(data) != entry.crc:
            raise InputError(f"{location} is broken in the zip (its checksum is another): fetch the zip again.")
        return data

    def _entry(self, data: bytes, at: int) -> tuple[ZipEntry, int]:
        """The entry that begins there in some bytes of the directory, and how many of them it takes."""
        if len(data) - at < _ENTRY.size:
            raise self._broken()
        (
            signature,
            _,
            _,
            flags,
            method,
            _,
            _,
            crc,
            packed,
            size,
            name_bytes,
            extra_bytes,
            comment_bytes,
            _,
            _,
            _,
            local,
        ) = _ENTRY.unpack_from(data, at)
        name_at = at + _ENTRY.size
        extra_at = name_at + name_bytes
        end = extra_at + extra_bytes + comment_bytes
        if signature != b"PK\1\2" or end > len(data):
            raise self._broken()
        if _IN_EXTRA in (packed, size, local):
            numbers = _numbers_in(data[extra_at : extra_at + extra_bytes])
            if len(numbers) < (size, packed, local).count(_IN_EXTRA):
                raise self._broken()
            # the extra field holds the numbers that do not fit, in this order
            size, packed, local = (
                numbers.pop(0) if number == _IN_EXTRA else number for number in (size, packed, local)
            )
        path = _shown_path(entry_name(data[name_at:extra_at].partition(b"\0")[0]))
        return ZipEntry(path, flags, method, crc, packed, size, local + self._shift), end - at

    def _unpack(self, form: struct.Struct, at: int) -> tuple:
        return form.unpack(self._read(at, form.size))

    def _read(self, at: int, count: int) -> bytes:
        """`count` bytes; InputError where the file has not so many there."""
        try:
            return self._file.read(at, count)
        except EOFError:
            raise self._broken() from None

    def _broken(self) -> InputError:
        return InputError(f"{shown_path(self.path)} is no whole zip file: fetch it again.")


def _shown_path(path: str) -> str:
    """The path of an entry with single forward slashes, without parts that are only a dot, as `shown_name` shows it."""
    if path.isprintable() and not ("\\" in path or "//" in path or "./" in path):  # nearly all paths
        return path
    *folders, last = path.replace("\\", "/").split("/")  # some programs of Windows write backslashes
    kept = [
        folder for number, folder in enumerate(folders) if folder not in (".", "") or (folder == "" and number == 0)
    ]
    return "/".join(map(shown_name, [*kept, last]))  # the last part of a folder's own entry is empty


def _numbers_in(extra: bytes) -> list[int]:
    """The numbers of an extra field that 32 bits cannot hold."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1:
            held = extra[4 : 4 + size]
            return [number for (number,) in struct.iter_unpack("<Q", held[: len(held) // 8 * 8])]
        extra = extra[4 + size :]
    return []
