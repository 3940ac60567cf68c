"""Writing files so that a reader never sees half of one: under a temporary name beside the target, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from scenetext.errors import InputError, RunError
from scenetext.system.exchange import exchange, flush_file_system
from scenetext.system.file_names import shown_path
from scenetext.system.temporaries import is_temporary_of, let_go, new_file, new_folder

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # of disks that have none
MEGABYTE = 1_000_000  # bytes, as in the competition's rule


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns a failure of the disk while `path` is written into a RunError that names `path`.

    Failures that name another file, such as an input that cannot be read, pass unchanged.

    Raises:
        RunError: the disk is full, broken or read-only, or the folder may not be written.
    """
    path = Path(path)
    try:
        yield
    except OSError as error:
        if error.filename is not None and not _concerns(error.filename, path):
            raise
        remedy = "make room there" if error.errno in _FULL else "check the disk and the folder's permissions"
        raise RunError(
            f"{shown_path(path)} could not be written ({error.strerror or error}): {remedy}, or name another place."
        ) from error


@contextmanager
def replacing(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a temporary file that becomes `path` when the block ends well.

    Text modes write UTF-8 with LF line ends. When the block raises, a disk that fills up included, the temporary
    file is removed and what stood at `path` before is unchanged. Temporaries of killed processes in that folder are
    removed, too.

    Args:
        path: the file to write; its folder is made when missing.
        mode: "wb" or "w".

    Yields:
        The open temporary file.

    Raises:
        RunError: see `writing`.
    """
    path = Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held, temporary = new_file(path)
        try:
            with open(temporary, mode, **text) as handle:
                yield handle
            _flush(temporary)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
            _flush(path.parent)
        except BaseException:
            with suppress(OSError):  # the failure that is on its way says more
                temporary.unlink(missing_ok=True)
            raise
        finally:
            let_go(held)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` that takes its place in one step when the block ends well, else is removed.

    Raises:
        RunError: see `writing`.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held, made = new_folder(path)
        try:
            os.chmod(made, 0o777 & ~_umask())
            try:
                yield made
            except RunError as error:  # of a file in it: nobody knows the temporary name
                raise RunError(str(error).replace(shown_path(made), shown_path(path))) from error
            flush_file_system(made)
            if path.exists():
                exchange(made, path)
            else:
                os.replace(made, path)
            _flush(path.parent)
        finally:  # what has the temporary name now: the new folder after a failure, the former one otherwise
            shutil.rmtree(made, ignore_errors=True)
            let_go(held)


def may_be_replaced(folder: Path, own: Collection[str]) -> bool:
    """Whether `replacing_folder` loses nothing: a folder is new or holds nothing but files of these names.

    A mount cannot be exchanged, and a process that works in the folder would go on in the former one.
    """
    if not folder.exists():
        return True
    only_own = {path.name for path in folder.iterdir()} <= set(own)
    return only_own and not os.path.ismount(folder) and folder != Path.cwd().resolve()


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8 with LF line ends, whole or not at all."""
    with replacing(path, "w") as file:
        file.write(text)


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """The text of a JSON file: indented, characters as they are, a line end at the end."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def read_json(path: str | Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: the file is missing or is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}.") from None


def link_or_copy(path: str | Path, copy: str | Path) -> None:
    """Gives a file a second name; where the disk has no such links, copies it.

    Raises:
        OSError: the disk refuses both.
    """
    try:
        os.link(path, copy)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(path, copy)


def sha256_bytes(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size_and_time(path: str | Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds; InputError if the file cannot be read."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return status.st_size, status.st_mtime_ns


def _concerns(name: str | bytes, path: Path) -> bool:
    """Whether a failure at `name` is one of writing `path`: of itself, of what lies beside it, or of its folders."""
    failed = Path(os.fsdecode(name))
    if failed in path.parents or failed in path.absolute().parents or is_temporary_of(failed, path):
        return True
    return failed.parent == path.parent and failed.name.startswith((path.name, f".{path.name}"))


def _flush(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, are on the disk."""
    if sys.platform == "win32" and path.is_dir():  # which cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
