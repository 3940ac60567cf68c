"""The names of millions of pictures in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np

_UTF8 = ("utf-8", "surrogatepass")  # names that tests and callers make may hold lone surrogates


class Names(Sequence[str]):
    """Names in order, each made when asked for; slices share the bytes.

    A name takes its bytes in UTF-8 and 4 more (8 in a set of over 4 GB), where a list of strings takes some 60 more;
    `find` adds 16 bytes a name when it is first called.

    Args:
        names: taken one by one.
    """

    def __init__(self, names: Iterable[str]):
        data, ends = bytearray(), array("Q", [0])
        for name in names:
            data += name.encode(*_UTF8)
            ends.append(len(data))
        self._data = data
        bounds = np.array(ends, np.uint32 if len(data) < 1 << 32 else np.uint64)
        self._starts, self._ends = bounds[:-1], bounds[1:]

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Names: ...

    def __getitem__(self, index: int | slice) -> str | Names:
        if not isinstance(index, slice):
            return self._data[self._starts[index] : self._ends[index]].decode(*_UTF8)
        part = Names(())
        part._data, part._starts, part._ends = self._data, self._starts[index], self._ends[index]
        return part

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def find(self, name: str) -> int | None:
        """The position of a name; None where it is not among them, the first one where it is there several times."""
        wanted = hash(name)
        hashes, positions = self._hashes
        at = int(hashes.searchsorted(wanted))
        while at < len(hashes) and hashes[at] == wanted:
            if self[positions[at]] == name:
                return int(positions[at])
            at += 1
        return None

    @cached_property
    def _hashes(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) int64 the rising hashes of all names, and (N,) int64 the position of each one's name."""
        hashes = np.fromiter(map(hash, self), np.int64, len(self))
        positions = hashes.argsort(kind="stable")
        return hashes[positions], positions
