"""Downloads over connections that break: resumed by HTTP ranges, checked, and put in place only when complete."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from scenetext.errors import InputError, RunError
from scenetext.system.archives import check_archive
from scenetext.system.files import MEGABYTE, read_json, sha256_file, write_json, writing
from scenetext.system.http_answers import Answer, Interrupted, Pace, Refused, checked_address, get, shortened
from scenetext.system.locks import one_process

MOST_BYTES = 4_000_000_000  # of a file whose size nobody states
DEADLINE_S = 12 * 3600.0
_SYNCED_EVERY = 32_000_000  # bytes; what a power cut takes
_PROGRESS_BYTES = 1_000_000  # so much more than ever before gives a connection that breaks all its tries back
_MOST_PAUSE_S = 30.0
_SLOW_COSTS = 2  # tries
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)", re.ASCII)
_HEADERS = {"User-Agent": "scenetext", "Accept-Encoding": "identity", "Connection": "close"}


class DownloadError(RunError):
    """No address gave the complete file."""


def download(
    url: str,
    path: str | Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
    mirrors: Sequence[str] = (),
    check: Callable[[Path], object] | None = None,
    tries: int = 4,
    pause_s: float = 1.0,
    deadline_s: float = DEADLINE_S,
    progress: bool = True,
) -> Path:
    """Downloads one file, unless it is there already and passes the checks.

    The bytes are written to `path` + ".part" and stay there when all tries fail, so that the next call resumes the
    download. The server's ETag or date says whether the rest still belongs to these bytes. If the server sends neither,
    the download is resumed only if `sha256` checks the result. What does not pass the checks is removed.

    Args:
        url: an http or https address.
        path: the file to write.
        sha256: the expected checksum in hexadecimal.
        size_bytes: the expected size.
        mirrors: further addresses of the same file, tried in order after `url`.
        check: reads a file and raises InputError if it is not what `path` should be. By default files named .zip,
            .tar, .tar.gz and .tgz must be such archives.
        tries: how often each address is tried without success; a server that is too slow costs two of them.
        pause_s: the pause before the second try in seconds, doubled each time.
        deadline_s: the longest time that all tries together take, in seconds.
        progress: show a progress bar with rate and time left.

    Returns:
        `path`.

    Raises:
        InputError: an address is neither http nor https, or `path` is a folder.
        DownloadError: no address gave the complete, correct file; the message names each address and its cause.
        RunError: the disk is full or broken; see `files.writing`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, so {url} cannot be written there: name a file.")
    addresses = [checked_address(address) for address in (url, *mirrors)]
    expected = _Expected(sha256, size_bytes, check or (lambda file: check_archive(file, path.name)))
    deadline = time.monotonic() + deadline_s
    with writing(path), one_process(path):
        part = _Part(path, expected)
        if path.is_file() and not expected.fault(path):
            part.forget()
            return path
        causes = _fetch_from_any(addresses, part, tries, pause_s, deadline, progress)
    if causes:
        raise DownloadError(
            f"{path.name} could not be fetched. {'; '.join(causes)}. Try again later, or fetch it by other means and "
            f"save it as {path}."
        )
    return path


def _fetch_from_any(
    addresses: Sequence[str], part: _Part, tries: int, pause_s: float, deadline: float, progress: bool
) -> list[str]:
    """Fetches the file from the first address that gives it; returns why each one failed, or nothing after success."""
    causes = []
    try:
        for address in addresses:
            cause = _fetch(address, part, tries, pause_s, deadline, progress)
            if cause is None:
                part.finish()
                return []
            causes.append(f"{address}: {cause}")
    finally:  # at Ctrl-C, too
        if not any(map(part.request_headers, addresses)):
            part.forget()  # no later call could resume it
    return causes


class _Expected(NamedTuple):
    """What the finished file must be."""

    sha256: str | None
    size_bytes: int | None
    check: Callable[[Path], object]

    def fault(self, file: Path) -> str | None:
        """What is wrong with a whole file, None if nothing."""
        size = file.stat().st_size
        if self.size_bytes is not None and size != self.size_bytes:
            return f"{size} bytes came, {self.size_bytes} were expected"
        if self.sha256 is not None and (found := sha256_file(file)) != self.sha256.lower():
            return f"its SHA-256 is {found}, {self.sha256.lower()} was expected"
        try:
            self.check(file)
        except InputError as error:
            told = str(error).replace(str(file), "what came").replace(file.name, "what came").rstrip(".")
            return re.sub("[;:] fetch (or copy )?it again$", "", told)
        return None


def _fetch(url: str, part: _Part, tries: int, pause_s: float, deadline: float, progress: bool) -> str | None:
    """Downloads `url` into `part`; None when it is complete and correct, else what went wrong."""
    if part.is_whole(url):  # the last call could not give it its name
        if part.fault() is None:
            return None
        part.forget()
    left, most, pause, cause = tries, part.bytes, pause_s, "not tried"
    while left > 0:
        headers = part.request_headers(url)
        try:
            with Pace(deadline) as pace, get(url, {**_HEADERS, **headers}, pace) as answer:
                part.write(url, answer, bool(headers), progress)
        except Refused as error:
            return str(error)
        except Interrupted as error:
            cause = str(error)
            if error.restart:
                part.forget()
            left -= _SLOW_COSTS if error.slow else 1
            if part.bytes >= most + _PROGRESS_BYTES:
                left, most, pause = tries, part.bytes, pause_s
            wait = max(pause, error.pause_s or 0.0)
            if wait > _MOST_PAUSE_S:
                return f"{cause}, to be asked again in {wait:.0f} s"
            if left <= 0 or time.monotonic() + wait >= deadline:
                return cause
            time.sleep(wait)
            pause = min(2 * pause, _MOST_PAUSE_S)
        else:
            fault = part.fault()
            if fault is None:
                return None
            part.forget()
            if not headers:
                return fault  # the server has another file, and would send it again
            cause, left = fault, left - 1
    return cause


class _Part:
    """The bytes that have come of a file so far, in `PATH.part`, and what they belong to, in `PATH.part.json`.

    The note's count of bytes is written after these bytes are on the disk, so that what a power cut leaves behind them
    is not taken for a part of the file.

    Attributes:
        bytes: how many there are to resume from.
    """

    def __init__(self, path: Path, expected: _Expected):
        self._path, self._expected = path, expected
        self._file = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")
        self._url: str | None = None
        self._validator: str | None = None
        self._total: int | None = None
        self.bytes = 0
        try:
            note = read_json(self._note)
            if note["bytes"] <= self._file.stat().st_size:
                self._url, self._validator = str(note["url"]), _usable(note["validator"])
                self._total, self.bytes = note["total_bytes"], max(0, int(note["bytes"]))
        except (InputError, FileNotFoundError, KeyError, TypeError, ValueError):
            self.bytes = 0  # there is none, or it says too little

    def is_whole(self, url: str) -> bool:
        """Whether nothing is missing of the file at this address."""
        return 0 < self.bytes == self._total and (self._url == url or self._expected.sha256 is not None)

    def request_headers(self, url: str) -> dict[str, str]:
        """The headers that ask for the rest; none if there is nothing yet or nothing says whether the rest will fit."""
        validator = self._validator if self._url == url else None
        if not self.bytes or not (validator or self._expected.sha256):
            return {}
        wanted = {"Range": f"bytes={self.bytes}-"}
        return {**wanted, "If-Range": validator} if validator else wanted

    def write(self, url: str, answer: Answer, asked_rest: bool, progress: bool) -> None:
        """Writes an answer's bytes behind those that are there, or in their place.

        Raises:
            Interrupted: the answer ended early, or belongs to another file than the bytes that are there.
            Refused: the answer cannot be the file.
        """
        start, total = self._fitted(url, answer, asked_rest)
        limit = self._limit(total)
        validator = _validator(answer) or (self._validator if start else None)
        self._url, self._validator, self._total = url, validator, total
        if not start:
            self.forget()
        with (
            open(self._file, "r+b" if start else "wb", buffering=0) as file,
            tqdm(
                desc=self._path.name, total=total, initial=start, unit="B", unit_scale=True, disable=not progress
            ) as bar,
        ):
            file.truncate(start)
            file.seek(start)
            try:
                self._copy(answer.body(), file, bar, limit)
            except OSError:  # of the disk, which may have no room for the note either
                with suppress(OSError, RunError):
                    self._sync(file)
                if not self.bytes:
                    self.forget()
                raise
            except BaseException:  # Ctrl-C, too
                self._sync(file)
                raise
            self._sync(file)
        if total is not None and self.bytes < total:
            raise Interrupted(f"the connection ended after {self.bytes} of {total} bytes")

    def _copy(self, body: Iterable[bytes], file: FileIO, bar: Any, limit: int) -> None:
        try:
            for chunk in body:
                if file.tell() + len(chunk) > limit:
                    raise Refused(f"the server sends more than {limit} bytes")
                left = memoryview(chunk)
                while left:
                    left = left[file.write(left) :]
                bar.update(len(chunk))
                if file.tell() - self.bytes >= _SYNCED_EVERY:
                    self._sync(file)
        except Refused:  # nothing of it can be trusted
            file.truncate(0)
            file.seek(0)
            raise

    def _sync(self, file: FileIO) -> None:
        os.fsync(file.fileno())
        count = file.tell()
        note = {"url": self._url, "validator": self._validator, "total_bytes": self._total, "bytes": count}
        write_json(self._note, note)
        self.bytes = count

    def _fitted(self, url: str, answer: Answer, asked_rest: bool) -> tuple[int, int | None]:
        """At which byte of the file the answer begins, and the file's size if it is known."""
        if answer.status == 200:
            return 0, answer.length
        if not asked_rest:
            raise Refused("the server sends a part of the file, unasked")
        start, end, total = _content_range(answer)
        if answer.length not in (None, end - start + 1):
            raise Interrupted(f"{answer.length} bytes are stated for the range from {start} to {end}", restart=True)
        total = self._total if total is None else total
        same_file = url != self._url or _validator(answer) in (None, self._validator)
        if start > self.bytes or not same_file or total is None or total != (self._total or total):
            raise Interrupted("the rest that the server sends does not fit what has come before", restart=True)
        return start, total

    def _limit(self, total: int | None) -> int:
        """The most bytes that the file may have."""
        wanted = self._expected.size_bytes
        if wanted is not None and total not in (None, wanted):
            raise Refused(f"the file on the server has {total} bytes, {wanted} were expected")
        size = wanted if total is None else total
        free = shutil.disk_usage(self._path.parent).free + self.bytes
        if size is None:
            return min(MOST_BYTES, free * 9 // 10)
        if size > free:
            raise Refused(
                f"the file has {size / MEGABYTE:.0f} MB and the disk of {self._path.parent} has {free / MEGABYTE:.0f} "
                "MB free: make room, or name another folder"
            )
        return size

    def forget(self) -> None:
        """Removes the part, its note first: without it nothing is resumed."""
        self._note.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)
        self.bytes = 0

    def fault(self) -> str | None:
        """What is wrong with the part as the whole file, None if nothing."""
        return self._expected.fault(self._file)

    def finish(self) -> None:
        """Gives the part the file's name."""
        os.replace(self._file, self._path)
        self._note.unlink(missing_ok=True)


def _content_range(answer: Answer) -> tuple[int, int, int | None]:
    """First byte, last byte and the file's size of a "Content-Range: bytes 100-199/200"; the size may be unknown."""
    stated = str(answer.headers.get("Content-Range"))
    found = _RANGE.fullmatch(stated.strip())
    if found:
        start, end = int(found[1]), int(found[2])
        total = None if found[3] == "*" else int(found[3])
        if start <= end and (total is None or end < total):
            return start, end, total
    raise Interrupted(f"the server sends a range that cannot be ({shortened(stated)!r})", restart=True)


def _validator(answer: Answer) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag = _usable(answer.headers.get("ETag"))
    return tag if tag and not tag.startswith("W/") else _usable(answer.headers.get("Last-Modified"))


def _usable(value: object) -> str | None:
    """A header's value that can be sent back."""
    return value if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) < 1000 else None
