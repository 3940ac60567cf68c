"""Opening untrusted archives: nothing is written outside the folder, links and decompression bombs are refused."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm.auto import tqdm

from scenetext.errors import InputError, RunError
from scenetext.system.files import MEGABYTE, replacing_folder

_SPARE_BYTES = 100_000_000
_MOST_EXPANSION = 200  # pictures and weights shrink by less than 20; a bomb by 1,000
_CHUNK_BYTES = 1 << 20
ENCRYPTED, _UTF8_NAME = 0x1, 0x800  # bits of a zip entry's flags
_BROKEN_ZIP = (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError)


@contextmanager
def open_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Opens a zip file for reading.

    Raises:
        InputError: the file is missing or is not a complete zip file.
    """
    path = Path(path)
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except _BROKEN_ZIP as error:
        raise InputError(
            f"{path} is no whole zip file ({_clause(error)}; {path.stat().st_size} bytes); fetch it again."
        ) from None
    with archive:
        yield archive


def zip_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by their checked names, folders left out.

    Names without the UTF-8 flag are read as UTF-8, else as GB18030, which Chinese Windows writes, else as the format's
    own code page 437.

    Raises:
        InputError: an entry leaves the folder, is a link or encrypted, two different files have one name, or the
            expanded size is beyond reason.
    """
    location = Path(archive.filename or "zip").name
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        marked = info.flag_bits & _UTF8_NAME
        name = info.filename if marked else entry_name(info.filename.encode("cp437", "replace"))
        name = _checked_name(name, location)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InputError(f"{location}: the entry {name!r} is a link; pack the file that it points to.")
        if info.is_dir():
            continue
        if info.flag_bits & ENCRYPTED:
            raise InputError(f"{location}: the entry {name!r} is encrypted; unpack and pack it without a password.")
        known = entries.setdefault(name, info)
        if (known.CRC, known.file_size) != (info.CRC, info.file_size):
            raise InputError(f"{location}: two different files have the name {name!r}; remove or rename one.")
    check_expansion(location, (info.file_size for info in archive.infolist()), Path(str(archive.filename)))
    return entries


def entry_name(data: bytes) -> str:
    """The name of a zip's entry: UTF-8, else GB18030, which Chinese Windows writes, else the format's code page 437."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("cp437")


def safe_untar(path: str | Path, folder: str | Path, progress: bool = True) -> Path:
    """Unpacks a tar, gzipped or not, into `folder`, which is replaced whole or not at all.

    Returns:
        The folder.

    Raises:
        InputError: the tar is missing or broken, or an entry leaves the folder or is neither file nor folder.
        RunError: the disk has no room for it.
    """
    path, folder = Path(path), Path(folder)
    try:
        with tarfile.open(path) as archive:
            members = [member for member in archive.getmembers() if not member.isdir()]
            for member in members:
                member.name = _checked_name(member.name, path.name)
                if not member.isfile():
                    raise InputError(f"{path.name}: the entry {member.name!r} is a link or device; it is refused.")
            sizes = [member.size for member in members]
            check_expansion(path.name, sizes, path)
            check_room(folder, sum(sizes), path.name)
            with replacing_folder(folder) as made:
                for member in tqdm(members, f"unpacking {path.name}", unit="file", disable=not progress):
                    _write_entry(archive.extractfile(member), made, member.name, path.name)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no whole tar file ({_clause(error)}); fetch it again.") from None
    return folder


def check_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Raises RunError if the disk that holds `folder` has less than `needed_bytes` free."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if needed_bytes > free_bytes:
        raise RunError(
            f"{what} needs {needed_bytes / MEGABYTE:.0f} MB below {folder} and the disk has "
            f"{free_bytes / MEGABYTE:.0f} MB free."
        )


def _write_entry(source: IO[bytes], folder: Path, name: str, location: str) -> None:
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError(f"{location}: {name!r} stands for a file and for a folder; the archive is refused.") from None


def _checked_name(name: str, location: str) -> str:
    """The entry's name with plain slashes; InputError if it is absolute, has a drive or leaves the folder by `..`."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if not parts or plain.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in plain:
        raise InputError(f"{location}: the entry {name!r} leaves the folder; the archive is refused.")
    return "/".join(parts)


def check_expansion(location: str, sizes: Iterable[int], path: Path) -> None:
    """Raises InputError if the entries of an archive unpack to more than pictures or weights of its size can."""
    total, packed = sum(sizes), path.stat().st_size
    if total > _MOST_EXPANSION * packed + _SPARE_BYTES:
        raise InputError(
            f"{location}: {packed} bytes would unpack to {total}, which no pictures or weights do; the archive is "
            "refused."
        )


def _clause(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
