"""Millions of labelled lines in little memory: the bytes of their files, and the offsets of names and texts in them.

A list of a million `Record`s takes half a gigabyte. A `RecordTable` keeps the bytes once and 32 bytes of offsets per
record, and makes a `Record` on demand.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np

_ROW = np.dtype(
    [("part", "u4"), ("line", "u4"), ("name_at", "u8"), ("name_size", "u4"), ("text_at", "u8"), ("text_size", "u4")]
)
"""The index of the part, the number of the line in it from 1, and the offsets and sizes of name and text in bytes."""

_BLOCK_BYTES = 1 << 22  # scanned at once: the arrays of positions take several times as much memory
_BLOCK_RECORDS = 1 << 13  # records whose texts are gathered at once

LONGEST_LABEL_BYTES = 10_000
"""No line of text has a label of more bytes in UTF-8."""

LONGEST_NAME_BYTES = 4096
"""No path of a file is longer."""

_LISTS = np.frombuffer(b"[{", np.uint8)  # what the labels of other tasks begin with, and lists of names
_LF, _TAB, _DELETE = 0x0A, 0x09, 0x7F
_C1_LEAD, _C1_END = 0xC2, 0xA0  # the control characters U+0080 to U+009F are C2 80 to C2 9F
_WHITE_STARTS = np.array([0xC285, 0xC2A0, 0xE19A, 0xE280, 0xE281, 0xE380], np.uint16)
"""The first two bytes of all white space beyond ASCII; some other characters begin with them, too."""


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled line.

    Attributes:
        name: of the image.
        text: of the label.
        location: the location of the label, such as "train_label.csv:17".
    """

    name: str
    text: str
    location: str


class Part(NamedTuple):
    """The bytes of some records of a table.

    Attributes:
        data: UTF-8 that holds their names and texts.
        location: gives the location of a record, for messages, from its name and the number of its line.
    """

    data: bytes | bytearray
    location: Callable[[str, int], str]


class RecordTable(Sequence[Record]):
    """A sequence of records, each made on demand; slices and `take` share the bytes.

    Args:
        parts: the bytes.
        rows: (N,) of `_ROW`, the offsets of the records in them.
    """

    def __init__(self, parts: tuple[Part, ...], rows: np.ndarray):
        self._parts = parts
        self._rows = rows

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]], location: Callable[[str, int], str]) -> RecordTable:
        """Builds a table from names and texts.

        Args:
            pairs: (name, text) of each record.
            location: gives the location of a record from its name and its number, from 1.
        """
        data, sizes = bytearray(), array("I")
        for pair in pairs:
            for piece in pair:
                encoded = piece.encode("utf-8")
                data += encoded
                sizes.append(len(encoded))
        ends = np.cumsum(np.asarray(sizes, np.uint64))
        rows = np.zeros(len(sizes) // 2, _ROW)
        rows["line"] = np.arange(1, len(rows) + 1)
        rows["name_size"], rows["text_size"] = sizes[::2], sizes[1::2]
        rows["text_at"] = ends[::2]
        rows["name_at"][1:] = ends[1:-1:2]
        return cls((Part(data, location),), rows)

    @classmethod
    def of(cls, records: Sequence[Record]) -> RecordTable:
        """The same records as a table; a table is returned unchanged."""
        if isinstance(records, RecordTable):
            return records
        locations = [record.location for record in records]
        return cls.of_pairs(((r.name, r.text) for r in records), lambda _, number: locations[number - 1])

    @classmethod
    def joined(cls, tables: Sequence[RecordTable]) -> RecordTable:
        """All records of the tables, one table after the other."""
        if len(tables) == 1:
            return tables[0]
        rows = np.concatenate([np.empty(0, _ROW), *(table._rows for table in tables)])
        parts: list[Part] = []
        at = 0
        for table in tables:
            rows["part"][at : at + len(table)] += len(parts)
            parts += table._parts
            at += len(table)
        return cls(tuple(parts), rows)

    def take(self, indices: Sequence[int] | np.ndarray) -> RecordTable:
        """The records at some indices, in the order of the indices.

        Args:
            indices: (n,) integers from 0.
        """
        return RecordTable(self._parts, self._rows[np.asarray(indices, np.intp)])

    def text(self, index: int) -> str:
        """The text of one record."""
        part, _, _, _, at, size = self._rows[index].item()
        return self._parts[part].data[at : at + size].decode("utf-8")

    def texts(self) -> Iterator[str]:
        """The text of every record."""
        for row in self._each_row():
            part, _, _, _, at, size = row
            yield self._parts[part].data[at : at + size].decode("utf-8")

    @property
    def names(self) -> Sequence[str]:
        """The name of every record."""
        return _Names(self)

    def name(self, index: int) -> str:
        """The name of one record."""
        part, _, at, size, _, _ = self._rows[index].item()
        return self._parts[part].data[at : at + size].decode("utf-8")

    def characters(self) -> set[str]:
        """The set of characters that occur in the texts."""
        occurs = np.zeros(sys.maxunicode + 1, bool)
        for _, encoded, _ in self._blocks("text"):
            codes = encoded.tobytes().decode("utf-8").encode("utf-32-le")
            occurs[np.frombuffer(codes, "<u4")] = True
        return set(map(chr, np.flatnonzero(occurs).tolist()))

    def text_lengths(self) -> np.ndarray:
        """(N,) int64: the number of characters of every text."""
        lengths = np.empty(len(self), np.int64)
        for indices, encoded, ends in self._blocks("text"):
            starts_character = (encoded & 0xC0) != 0x80  # all other bytes continue a character
            counted = np.concatenate([[0], np.cumsum(starts_character)])
            lengths[indices] = np.diff(counted[ends], prepend=0)
        return lengths

    def digest(self) -> bytes:
        """The SHA-256 of all names and texts in their order; locations do not enter it."""
        seen = hashlib.sha256()
        for column in ("name", "text"):
            for _, encoded, ends in self._blocks(column):
                seen.update(encoded.tobytes())
                seen.update(ends.tobytes())
        return seen.digest()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> RecordTable: ...

    def __getitem__(self, index: int | slice) -> Record | RecordTable:
        if isinstance(index, slice):
            return RecordTable(self._parts, self._rows[index])
        return self._record(self._rows[index].item())

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, self._each_row())

    def __add__(self, other: RecordTable) -> RecordTable:
        return RecordTable.joined([self, other]) if isinstance(other, RecordTable) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None

    def __repr__(self) -> str:
        return f"<RecordTable of {len(self)} records>"

    def _record(self, row: tuple[int, ...]) -> Record:
        part, line, name_at, name_size, text_at, text_size = row
        data, location = self._parts[part]
        name = data[name_at : name_at + name_size].decode("utf-8")
        return Record(name, data[text_at : text_at + text_size].decode("utf-8"), location(name, line))

    def _each_row(self) -> Iterator[tuple[int, ...]]:
        for at in range(0, len(self), _BLOCK_RECORDS):
            yield from self._rows[at : at + _BLOCK_RECORDS].tolist()

    def _blocks(self, column: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields blocks of n records: their indices, the bytes of one column without gaps, and the ends in these bytes.

        Args:
            column: "text" or "name".

        Yields:
            (n,) integers, (size,) uint8 and (n,) int64.
        """
        for at in range(0, len(self), _BLOCK_RECORDS):
            rows = self._rows[at : at + _BLOCK_RECORDS]
            for part in np.unique(rows["part"]).tolist():
                inside = np.flatnonzero(rows["part"] == part)
                starts, sizes = (rows[f"{column}_{what}"][inside].astype(np.int64) for what in ("at", "size"))
                ends = np.cumsum(sizes)
                positions = np.arange(ends[-1]) + np.repeat(starts - ends + sizes, sizes)
                yield at + inside, np.frombuffer(self._parts[part].data, np.uint8)[positions], ends


class _Names(Sequence[str]):
    """The names of a table, each made on demand."""

    def __init__(self, table: RecordTable):
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> str:
        return self._table.name(index)

    def __iter__(self) -> Iterator[str]:
        for part, _, at, size, _, _ in self._table._each_row():
            yield self._table._parts[part].data[at : at + size].decode("utf-8")


def tabbed_table(data: bytes, location: Callable[[str, int], str], is_good: Callable[[str, int], bool]) -> RecordTable:
    """The records of `name<TAB>text` lines; most lines are plainly good, and no Python code runs for them.

    A line is plainly good if it has one tab, a name before and a text after it that begin neither with white space nor
    with a bracket and are not too long, no white space at the end of the name, and no control characters.

    Args:
        data: UTF-8; lines end with LF, CR LF or CR.
        location: see Part.
        is_good: decides on each other line that is not empty, from the line and its number from 1. The name of a good
            line is what stands before the first tab, stripped, and its text is all that stands after it.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    rows = np.zeros(data.count(b"\n") + 1, _ROW)
    at = line = filled = 0
    while at < len(data):
        end = data.find(b"\n", at + _BLOCK_BYTES) + 1 or len(data)
        block = _Block(data, at, end)
        block.decide_doubtful(line + 1, is_good)
        found = rows[filled : filled + np.count_nonzero(block.kept)]
        found["line"] = np.flatnonzero(block.kept) + (line + 1)
        for name, values in block.columns.items():
            found[name] = values[block.kept]
        at, line, filled = end, line + len(block.kept), filled + len(found)
    return RecordTable((Part(data, location),), rows[:filled])


class _Block:
    """Whole lines of a label file: which of them are records, and their offsets.

    Attributes:
        kept: (n,) bool, for each line whether it is a record.
        columns: (n,) int64 each, the offsets and sizes of `_ROW` in bytes of the file; meaningless for other lines.
    """

    def __init__(self, data: bytes, at: int, end: int):
        self._data, self._at = data, at
        block = np.frombuffer(data, np.uint8, end - at, at)
        low = np.flatnonzero(block < 0x20)
        ends = low[block[low] == _LF]
        if block[-1] != _LF:
            ends = np.append(ends, len(block))
        starts = np.concatenate([[0], ends[:-1] + 1])
        tabs = np.append(low[block[low] == _TAB], len(block) + 1)  # one beyond all lines, for lines without a tab
        tabs_until = np.searchsorted(tabs, ends)  # tabs before each line's end, the last of which is at this index - 1
        tab = tabs[tabs_until - 1]

        doubtful = np.diff(tabs_until, prepend=0) != 1
        doubtful[np.searchsorted(ends, _control_characters(block, low))] = True
        one = np.flatnonzero(~doubtful)
        before_tab = block[tab[one] - 1]
        doubtful[one] = (
            (starts[one] == tab[one])
            | (before_tab <= 0x20)
            | (before_tab >= 0x80)  # may be the last byte of white space; names rarely end beyond ASCII
            | _may_be_white(block, starts[one])
            | (tab[one] + 1 == ends[one])
            | _may_be_white(block, tab[one] + 1)
            | np.isin(np.take(block, tab[one] + 1, mode="clip"), _LISTS)
            | np.isin(block[starts[one]], _LISTS)
            | (ends[one] - tab[one] > LONGEST_LABEL_BYTES)
            | (tab[one] - starts[one] > LONGEST_NAME_BYTES)
        )
        self._starts, self._ends = starts, ends
        self._doubtful = np.flatnonzero(doubtful & (ends > starts))
        self.kept = ~doubtful
        self.columns = {
            "name_at": starts + at, "name_size": tab - starts, "text_at": tab + (at + 1), "text_size": ends - tab - 1,
        }  # fmt: skip

    def decide_doubtful(self, first_line: int, is_good: Callable[[str, int], bool]) -> None:
        """Decides on the lines that are not plainly good; `first_line` is the number of the block's first line."""
        for index in self._doubtful.tolist():
            start, end = self._at + int(self._starts[index]), self._at + int(self._ends[index])
            line = self._data[start:end].decode("utf-8")
            if not is_good(line, first_line + index):
                continue
            before, _, text = line.partition("\t")
            name = before.strip()
            self.kept[index] = True
            self.columns["name_at"][index] = start + _size(before[: before.index(name)])
            self.columns["name_size"][index] = _size(name)
            self.columns["text_at"][index] = end - _size(text)
            self.columns["text_size"][index] = _size(text)


def _control_characters(block: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Positions of all characters of category Cc but LF and tab; `low` holds the positions of bytes below 0x20."""
    leads = np.flatnonzero(block == _C1_LEAD)  # never the last byte of a text in UTF-8
    c0 = low[(block[low] != _LF) & (block[low] != _TAB)]
    return np.concatenate([c0, np.flatnonzero(block == _DELETE), leads[block[leads + 1] < _C1_END]])


def _may_be_white(block: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Whether the characters at these positions may be white space: true for all white space and some others."""
    first = np.take(block, at, mode="clip")
    second = np.take(block, at + 1, mode="clip")
    return (first <= 0x20) | np.isin(first.astype(np.uint16) << 8 | second, _WHITE_STARTS)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
