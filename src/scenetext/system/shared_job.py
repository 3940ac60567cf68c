"""One text file or folder that several processes make together, on one host or on several that share a folder.

The job is cut into pieces of lines. A folder in `PRODUCT.parts` gets one file for each piece, which appears whole by a
rename. A piece is the same whoever makes it, so nothing is claimed or locked, and no process waits for the piece of
another one: each makes its own share first, then whatever is still missing, in an order of its own. So the others do
the work of a process that died or never came. Near the end two processes may make one piece at the same time; the
second rename changes nothing. The same job begun again, by any number of processes, makes only what is missing.

A shared folder is the only thing that the hosts need. Messages between processes (gloo, NCCL) would end the whole group
with one of its members, and locks are not the same on all network file systems.

The first process alone writes the product. It decides what the job is, and the others wait for it, for a bounded time.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from scenetext.errors import InputError, RunError
from scenetext.system.file_names import shown_path
from scenetext.system.files import read_json, replacing, write_json, writing
from scenetext.system.launched import Process
from scenetext.system.locks import only_writer
from scenetext.system.temporaries import SUFFIX

PATIENCE_S = 600.0  # of the others with the first process: it may wait for a host, or for a slow disk
GATHERING_S = 60.0  # of the first process with the others, when all is done
_POLL_S = 0.1
_JOB = "job.json"
_ABSENT = (errno.ENOENT, errno.ESTALE)  # the second one is how NFS tells it of a file that was known

Result = TypeVar("Result")


class SharedJob:
    """What several processes make, as a context that each of them enters.

    On leaving it, the first process has put the product in its place; it removes the pieces when every other process
    has come, or after GATHERING_S. The other processes leave it when the product is there. Where the block raises, the
    pieces stay for the same job begun again.

    Args:
        path: the product.
        origin: what it is made from, as JSON; pieces that were made from something else are not kept.
        process: this one.
        items: what the product has one line each for, such as the names of pictures.
        items_per_piece: in each piece but the last one.
        adopted: keys of the origin in which a job is joined or resumed although they differ, by adopting its values.

    Attributes:
        origin: within the context, the job's.

    Raises:
        RunError: another job writes the product now, the first process did not come in time or makes the product from
            something else, or the disk is full or broken.
    """

    def __init__(
        self,
        path: str | Path,
        origin: Mapping[str, Any],
        process: Process,
        items: Sequence[Any],
        items_per_piece: int,
        adopted: Iterable[str] = (),
    ):
        self.path = Path(path)
        self.origin = json.loads(json.dumps({**origin, "items_per_piece": items_per_piece}))  # tuples become lists
        self.process = process
        self._items = items
        self._items_per_piece = items_per_piece
        self._pieces = -(-len(items) // items_per_piece)
        self._adopted = tuple(adopted)
        self._folder = _folder(self.path)
        self._place = self._folder  # for this job's pieces alone: whoever works for an older job finds no folder
        self._mark = uuid.uuid4().hex[:12]
        self._held = ExitStack()

    @staticmethod
    def is_for(process: Process, path: str | Path) -> bool:
        """Whether a product is to be made in pieces: by several processes, or because some are there already."""
        return process.count > 1 or (_folder(Path(path)) / _JOB).is_file()

    def __enter__(self) -> SharedJob:
        with writing(self.path), ExitStack() as held:
            if self.process.is_first:
                held.enter_context(only_writer(self._folder))
                self._begin()
            else:
                self._join()
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with self._held, writing(self.path):
            if error is not None:
                return
            if self.process.is_first:
                self._gather()
                self._remove()
            else:
                self._leave()

    def make(self, lines_of: Callable[[Sequence[Any]], Iterable[str]], on_items: Callable[[int], object]) -> None:
        """Makes all pieces that are missing, beginning with this process's share.

        Args:
            lines_of: the lines of a piece's items, without their line ends.
            on_items: called for each piece that is there, with its number of items.

        Raises:
            RunError: the disk is full or broken.
        """
        for index in self._order():
            items = self._items[index * self._items_per_piece : (index + 1) * self._items_per_piece]
            if not self._file(index).is_file():
                self._write(index, lines_of(items))
            if not self._check_in():  # the product is made, or the first process makes another one
                return
            on_items(len(items))

    def put_together(self, fits: Callable[[int, str], bool], result: Callable[[], Result]) -> Result:
        """Writes the pieces into the product, a file; for the first process.

        Args:
            fits: whether the line of that number, without its line end, is the expected one.
            result: called after the last line; when it raises, the product is not written.

        Returns:
            The result.

        Raises:
            RunError: a line is not the expected one, or the disk is full or broken.
        """
        with replacing(self.path, "w") as file:
            for index, line in enumerate(self.lines()):
                if not fits(index, line):
                    piece = self._file(index // self._items_per_piece)
                    raise RunError(f"{shown_path(piece)} is damaged: remove it and start again.")
                file.write(f"{line}\n")
            return result()

    def lines(self) -> Iterator[str]:
        """The lines of all pieces, without their line ends."""
        for index in range(self._pieces):
            with open(self._file(index), encoding="utf-8", newline="\n") as file:
                for line in file:
                    yield line.removesuffix("\n")

    def _order(self) -> Iterator[int]:
        """This process's share, then the others' in an order of its own: so two seldom make the same piece."""
        rank, count = self.process.rank, self.process.count
        share = range(rank * self._pieces // count, (rank + 1) * self._pieces // count)
        yield from share
        others = [index for index in range(self._pieces) if index not in share]
        random.Random(rank).shuffle(others)
        yield from others

    def _file(self, index: int) -> Path:
        return self._place / f"{index:08d}.txt"

    def _write(self, index: int, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        temporary = self._place / f".{index:08d}.{self._mark}"
        with writing(self.path), self._may_be_removed():
            try:
                with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self._file(index))
            except OSError:
                with suppress(OSError):  # the failure that is on its way says more
                    temporary.unlink(missing_ok=True)
                raise

    @contextmanager
    def _may_be_removed(self) -> Iterator[None]:
        """Passes over the absence of the pieces' folder, which the first process alone removes."""
        try:
            yield
        except OSError as error:
            if self.process.is_first or error.errno not in _ABSENT:
                raise

    def _begin(self) -> None:
        """Opens a folder for the pieces, or the same job's; what another job left is removed."""
        if self._adopt() is not None:
            self._remove()
            self._place = self._folder / self._mark
            self._place.mkdir(parents=True)
            write_json(self._folder / _JOB, {"place": self._mark, "origin": self.origin})
        for path in self._place.glob("process-*"):  # whoever is at work says so again
            path.unlink(missing_ok=True)

    def _adopt(self) -> str | None:
        """Takes part in the job that is begun; why not, if none is or it has another origin."""
        begun: Any = None
        with suppress(InputError), self._may_be_removed():
            begun = read_json(self._folder / _JOB)
        try:
            place, origin = self._folder / begun["place"], dict(begun["origin"])
        except (KeyError, TypeError, ValueError):  # missing, or damaged
            return "nothing"
        keys = dict.fromkeys((*self.origin, *origin))
        differ = [key for key in keys if key not in self._adopted and self.origin.get(key) != origin.get(key)]
        if differ or not place.is_dir():
            return ", ".join(differ) or "nothing"
        self._place, self.origin = place, origin
        return None

    def _join(self) -> None:
        """Waits until the first process has begun."""
        if not self._wait(lambda: self._adopt() is None):
            found = self._adopt()
            differs = "" if found == "nothing" else f" as process {self.process.rank} would, but with another {found}"
            late = " It is there already: if process 0 has ended, nothing is left to do." if self.path.exists() else ""
            raise RunError(
                f"Process 0 of {self.process.count} has not begun {shown_path(self.path)} within {PATIENCE_S:g} s"
                f"{differs}: start it by the same command, with the same files and a folder that all hosts share.{late}"
            )
        self._check_in()

    def _leave(self) -> None:
        """Waits until the first process has put the product in its place."""
        first = f"Process 0 of {self.process.count}"
        if not self._wait(lambda: not self._check_in()):
            raise RunError(
                f"{first} has not put {shown_path(self.path)} together in {PATIENCE_S:g} s, although all pieces are in "
                f"{shown_path(self._folder)}: start it again by the same command."
            )
        if self._folder.exists() or not self.path.exists():
            raise RunError(f"{first} has begun {shown_path(self.path)} anew: start this process again, too.")

    def _gather(self) -> None:
        """Waits until every process has come, so that none waits for a job that is done."""
        come = [self._place / f"process-{rank}" for rank in range(1, self.process.count)]
        if not self._wait(lambda: all(path.is_file() for path in come), GATHERING_S):
            missing = [path.name.partition("-")[2] for path in come if not path.is_file()]
            print(
                f"{len(missing)} of {self.process.count} processes did not come (PADDLE_TRAINER_ID "
                f"{', '.join(missing)}); the others did their share.",
                file=sys.stderr,
            )

    def _wait(self, is_there: Callable[[], bool], seconds: float | None = None) -> bool:
        last = time.monotonic() + (PATIENCE_S if seconds is None else seconds)
        while not (found := is_there()) and time.monotonic() < last:
            time.sleep(_POLL_S)
        return found

    def _check_in(self) -> bool:
        """Leaves word that this process has come; False where the job's pieces are gone."""
        with writing(self.path), self._may_be_removed():
            (self._place / f"process-{self.process.rank}").write_text(f"{socket.gethostname()} {os.getpid()}\n")
            return True
        return False

    def _remove(self) -> None:
        """Removes all pieces, in one step for all who look."""
        removed = self._folder.with_name(f".{self._folder.name}.{self._mark}{SUFFIX}")  # a leftover if this is killed
        with suppress(FileNotFoundError):
            os.replace(self._folder, removed)
            shutil.rmtree(removed, ignore_errors=True)


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.parts")
