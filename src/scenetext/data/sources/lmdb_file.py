"""The key-value file of an LMDB, read page by page; every number in it is checked before it is used.

The library maps the file and trusts it: a truncated or damaged one ends the process. Format: LMDB 0.9, mdb.c
(openldap.org), the structures MDB_page, MDB_meta, MDB_db and MDB_node on a 64-bit machine, little-endian.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from scenetext.data.sources.positioned_file import PositionedFile
from scenetext.errors import InputError
from scenetext.system.file_names import shown_path

_PAGE = struct.Struct("<QHHHH")  # its number, unused, flags, where free space begins and where it ends
_TABLE = "IHHQQQQQ"  # page size, flags, depth, pages of three kinds, entries, root
_META = struct.Struct(f"<IIQQ{_TABLE}{_TABLE}QQ")  # magic, version, address, map, two tables, last page, transaction
_NODE = struct.Struct("<HHHH")  # three parts of a size or page number, the key's size
_OFFSET_BYTES = 2  # where a node begins, in its page's list
_NUMBER = struct.Struct("<Q")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF = 0x01, 0x02  # flags of pages
_IN_OTHER_PAGES = 0x01  # a node's flag: the value begins on a page of its own
_NOT_PLAIN = 0x06  # a node's flags: the value is a table or a list of values
_NO_ROOT = 0xFFFF_FFFF_FFFF_FFFF  # of an empty table
_PAGE_SIZES = [1 << power for power in range(9, 17)]
_DEEPEST = 32  # levels of pages
_PAGES_KEPT = 1024  # of those read last


class _Page(NamedTuple):
    """A branch or leaf page: its bytes, whether it is a leaf, and where its nodes begin, in the order of their keys.

    A branch, which is looked at again and again, has its keys besides; a leaf has none here.
    """

    data: bytes
    is_leaf: bool
    nodes: tuple[int, ...]
    keys: list[bytes]

    def first_from(self, key: bytes) -> int:
        """The index of the first node whose key is not smaller, without a branch's first one, whose key says nothing;
        the number of nodes if there is none.
        """
        data, is_leaf, nodes, keys = self
        if not is_leaf:
            return bisect_left(keys, key, 1)
        low, high = 0, len(nodes)
        while low < high:
            middle = (low + high) // 2
            if _key(data, nodes[middle]) < key:
                low = middle + 1
            else:
                high = middle
        return low


class LmdbFile:
    """The entries of an LMDB; threads may read at the same time.

    Args:
        path: of data.mdb.

    Attributes:
        entries: how many entries there are, as the file says, and not more than it has room for.

    Raises:
        InputError: it is no LMDB file, or of another kind than this format's.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = PositionedFile(path)
        self._page_bytes = 0
        metas = [meta for meta in (self._meta(0), self._meta(1)) if meta]
        if not metas:
            raise InputError(
                f"{shown_path(path)} is no LMDB file that can be read: it does not begin as one; copy it again."
            )
        latest = max(metas, key=lambda meta: meta[-1])
        _, flags, self._depth, _, _, _, entries, self._root = latest[12:20]
        if flags or self._depth > _DEEPEST:
            raise self._broken("the description of its entries")
        node_bytes = _NODE.size + _OFFSET_BYTES + 1
        self.entries = min(entries, self._file.size_bytes // node_bytes)
        self._page = lru_cache(_PAGES_KEPT)(self._read_page)

    def get(self, key: bytes, most_bytes: int) -> bytes | None:
        """The value of a key; None without one.

        Args:
            key: the key.
            most_bytes: a larger value is an error.

        Raises:
            InputError: the file is damaged or cut short on the way there, or the value is too large.
        """
        if self._root == _NO_ROOT:
            return None
        number = self._root
        for level in range(self._depth):
            page = self._page(number, level)
            data, is_leaf, nodes, keys = page
            index = page.first_from(key)
            if is_leaf:
                found = index < len(nodes) and _key(data, nodes[index]) == key
                return self._value(data, nodes[index], key, most_bytes) if found else None
            if index == len(nodes) or keys[index] != key:
                index -= 1  # the last child whose keys may be as small
            number = _child(data, nodes[index])
        raise self._broken("its pages are nested deeper than it says")

    def items(self, start: bytes, most_bytes: int) -> Iterator[tuple[bytes, bytes]]:
        """The entries in the order of their keys, from a key on.

        Args:
            start: the key.
            most_bytes: a larger value is an error.

        Raises:
            InputError: the file is damaged or cut short, or a value is too large.
        """
        if self._root != _NO_ROOT:
            yield from self._items_below(self._root, 0, start, most_bytes)

    def _items_below(self, number: int, level: int, start: bytes, most_bytes: int) -> Iterator[tuple[bytes, bytes]]:
        page = self._page(number, level)
        if page.is_leaf:
            for node in page.nodes[page.first_from(start) :]:
                key = _key(page.data, node)
                yield key, self._value(page.data, node, key, most_bytes)
            return
        for node in page.nodes[page.first_from(start) - 1 :]:
            yield from self._items_below(_child(page.data, node), level + 1, start, most_bytes)

    def _meta(self, number: int) -> tuple | None:
        """The fields of one of the two descriptions of the file; None where there is none."""
        for page_bytes in [self._page_bytes] if self._page_bytes else _PAGE_SIZES:
            try:
                meta = _META.unpack(self._file.read(number * page_bytes + _PAGE.size, _META.size))
            except EOFError:
                continue
            if meta[:2] == (_MAGIC, _VERSION) and meta[4] in _PAGE_SIZES:
                self._page_bytes = meta[4]
                return meta
        return None

    def _read_page(self, number: int, level: int) -> _Page:
        if level >= self._depth:
            raise self._broken("its pages are nested deeper than it says")
        try:
            data = self._file.read(number * self._page_bytes, self._page_bytes)
        except EOFError:
            raise self._broken(f"page {number} is beyond its end") from None
        own_number, _, flags, free_from, free_to = _PAGE.unpack_from(data)
        count, rest = divmod(free_from - _PAGE.size, _OFFSET_BYTES)
        is_leaf = flags & 0xFF == _LEAF
        if own_number != number or rest or count < 1 or free_from > free_to or free_to > len(data):
            raise self._broken(f"page {number} is damaged")
        nodes = struct.unpack_from(f"<{count}H", data, _PAGE.size)
        if min(nodes) < free_to or max(nodes) > len(data) - _NODE.size:
            raise self._broken(f"page {number} is damaged")
        if is_leaf != (level == self._depth - 1) or not (is_leaf or flags & 0xFF == _BRANCH):
            raise self._broken(f"page {number} is of another kind")
        return _Page(data, is_leaf, nodes, [] if is_leaf else [_key(data, node) for node in nodes])

    def _value(self, page: bytes, node: int, key: bytes, most_bytes: int) -> bytes:
        low, high, flags, key_bytes = _NODE.unpack_from(page, node)
        size, at = low | high << 16, node + _NODE.size + key_bytes
        if size > most_bytes:
            raise self._broken(f"{_shown(key)} has {size:,} bytes, more than the {most_bytes:,} that it may have")
        if flags & _NOT_PLAIN:
            raise self._broken(f"{_shown(key)} has several values")
        try:
            if not flags & _IN_OTHER_PAGES:
                if at + size > len(page):
                    raise EOFError
                return page[at : at + size]
            (number,) = _NUMBER.unpack_from(page[at : at + _NUMBER.size].ljust(_NUMBER.size, b"\xff"))
            return self._file.read(number * self._page_bytes + _PAGE.size, size)
        except EOFError:
            raise self._broken(f"the value of {_shown(key)} is beyond its end") from None

    def _broken(self, what: str) -> InputError:
        return InputError(f"{shown_path(self.path)} is damaged or cut short ({what}): copy it again.")


def _key(page: bytes, node: int) -> bytes:
    start = node + _NODE.size
    return page[start : start + (page[start - 2] | page[start - 1] << 8)]


def _child(page: bytes, node: int) -> int:
    """The page number in a branch's node."""
    low, middle, high, _ = _NODE.unpack_from(page, node)
    return low | middle << 16 | high << 32


def _shown(key: bytes) -> str:
    return key.decode("ascii", "replace")
