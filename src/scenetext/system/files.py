"""Writing files so that a reader never sees half of one: under a temporary name beside the target, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scenetext.errors import InputError

MEGABYTE = 1_000_000  # bytes, as in the competition's rule


@contextmanager
def replacing(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a temporary file that becomes `path` when the block ends well.

    Text modes write UTF-8 with LF line ends. When the block raises, a disk that fills up included, the temporary
    file is removed and what stood at `path` before is untouched.

    Args:
        path: the file to write; its folder is made when missing.
        mode: "wb" or "w".

    Yields:
        The open temporary file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    # closed by the `with` below; it is opened outside of it so that any failure removes the file
    handle = tempfile.NamedTemporaryFile(mode, dir=path.parent, prefix=f".{path.name}.", delete=False, **text)  # noqa: SIM115
    try:
        with handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(handle.name, 0o666 & ~_umask())
        os.replace(handle.name, path)
    except BaseException:
        Path(handle.name).unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` that takes its place when the block ends well, else is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    os.chmod(made, 0o777 & ~_umask())
    try:
        yield made
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            os.replace(path, old / path.name)
            os.replace(made, path)
            shutil.rmtree(old)
        else:
            os.replace(made, path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8 with LF line ends, whole or not at all."""
    with replacing(path, "w") as file:
        file.write(text)


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
