"""A text file of one line per item that a stopped job resumes.

The lines are written to `FILE.part`, and `FILE.part.json` says what they are made from. When all lines are written, the
part takes FILE's name, so that whoever reads FILE sees it whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.system.files import read_json, write_json, writing

FLUSHED_EVERY = 1000  # lines


class ResumableLines:
    """Lines written one after the other.

    Args:
        path: the file.
        origin: what the lines are made from, as JSON; lines that were made from something else are not kept.

    Attributes:
        kept: after `resume`, the number of lines of an earlier job that are kept.
    """

    def __init__(self, path: str | Path, origin: Mapping[str, Any]):
        self.path = Path(path)
        self.origin = dict(origin)
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.note = self.path.with_name(f"{self.path.name}.part.json")
        self.kept = 0
        self._file = None
        self._written = 0

    def resume(self, fits: Callable[[int, str], bool]) -> int:
        """Opens the part and goes to the end of the lines to keep.

        Args:
            fits: whether the line of that number, without its line end, is the expected one; the first line that is
                not, or that has no line end, is dropped with all lines after it.

        Returns:
            How many lines are kept.

        Raises:
            RunError: the disk is full, broken or read-only.
        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            end = self._keep(fits) if self.part.is_file() and self._is_of_same_origin() else 0
            if not end:  # before the note says that what the part holds has the new origin
                self.part.unlink(missing_ok=True)
            write_json(self.note, self.origin)
            self._file = open(self.part, "ab")  # noqa: SIM115  closed by finish or close
            self._file.truncate(end)
        return self.kept

    def _is_of_same_origin(self) -> bool:
        try:
            return read_json(self.note) == self.origin
        except InputError:  # missing or damaged: it is not known what the part holds
            return False

    def _keep(self, fits: Callable[[int, str], bool]) -> int:
        """Counts the lines to keep; returns where they end, in bytes."""
        end = 0
        with open(self.part, "rb") as old:
            for line in old:
                if not line.endswith(b"\n") or not fits(self.kept, line[:-1].decode("utf-8", "replace")):
                    break
                self.kept += 1
                end += len(line)
        return end

    def write(self, line: str) -> None:
        """Appends a line; `line` has no line end.

        Raises:
            RunError: the disk is full or broken.
        """
        with writing(self.path):
            self._file.write(f"{line}\n".encode())
            self._written += 1
            if self._written % FLUSHED_EVERY == 0:
                self._file.flush()

    def finish(self) -> None:
        """Gives the part the file's name.

        Raises:
            RunError: the disk is full or broken.
        """
        with writing(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.part, self.path)
            self.note.unlink()

    def discard(self) -> None:
        """Removes the part, which a whole file from elsewhere has replaced."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def close(self) -> None:
        """Keeps the part for a later job, unless it is empty."""
        with suppress(OSError):  # `write` and `finish` have raised it; lines that are lost are made again
            self._file.close()
        if self.part.is_file() and not self.part.stat().st_size:
            self.part.unlink()
            self.note.unlink(missing_ok=True)
