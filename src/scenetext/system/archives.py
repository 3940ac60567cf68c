"""Opening untrusted archives: nothing is written outside the folder, links and decompression bombs are refused."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm.auto import tqdm

from scenetext.errors import InputError, RunError
from scenetext.system.files import MEGABYTE, replacing_folder
from scenetext.system.tar_reader import FILE, FOLDER, REMEDY, TarEntry, TarReader
from scenetext.system.untrusted import reading

_SPARE_BYTES = 100_000_000
_MOST_EXPANSION = 200  # pictures and weights shrink by less than 20; a bomb by 1,000
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
ENCRYPTED, _UTF8_NAME = 0x1, 0x800  # bits of a zip entry's flags
_BROKEN_ZIP = (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError)


@contextmanager
def open_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Opens a zip file for reading.

    Raises:
        InputError: the file is missing or is not a complete zip file.
    """
    path = Path(path)
    with reading(path, "a zip file", REMEDY):
        try:
            archive = zipfile.ZipFile(path)
        except _BROKEN_ZIP as error:
            raise InputError(
                f"{path} is no whole zip file ({_clause(error)}; {path.stat().st_size} bytes); {REMEDY}."
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
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise InputError(f"{location}: the entry {name!r} is a link; pack the file that it points to.")
        if info.is_dir():
            continue
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):  # 0: packed where files have no kind, as on Windows
            raise InputError(f"{location}: the entry {name!r} is a pipe, socket or device; it is refused.")
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
        InputError: the tar is missing or broken, or an entry leaves the folder, is neither file nor folder, or has the
            name of another one.
        RunError: the disk has no room for it.
    """
    path, folder = Path(path), Path(folder)
    bar = tqdm(desc=f"unpacking {path.name}", unit="B", unit_scale=True, disable=not progress)
    with TarReader(path) as tar, replacing_folder(folder) as made, bar:
        for name, entry in _tar_files(tar, path.name):
            check_room(folder, entry.size_bytes, path.name)
            with _writing(made, name, path.name) as file:
                for piece in tar.read(entry):
                    file.write(piece)
                    bar.update(len(piece))
    return folder


def check_archive(path: Path, name: str) -> None:
    """Checks that a file is a whole archive of the kind that `name` says; a file of another kind is not looked into.

    Args:
        path: the file.
        name: the name that it is going to have.

    Raises:
        InputError: it is not, or `safe_untar` would refuse it.
    """
    if name.lower().endswith(".zip"):
        with open_zip(path):
            pass  # the directory, which has been read, is at the end
    elif name.lower().endswith(TAR_SUFFIXES):
        tar_names(path)


def tar_names(path: Path) -> list[str]:
    """The checked names of a tar's files; InputError if it is broken or `safe_untar` would refuse it."""
    with TarReader(path) as tar:
        return [name for name, _ in _tar_files(tar, path.name)]


def _tar_files(tar: TarReader, location: str) -> Iterator[tuple[str, TarEntry]]:
    names = set()
    for entry in tar.entries():
        if entry.kind == FOLDER:
            continue
        name = _checked_name(entry_name(entry.name), location)
        if entry.kind != FILE:
            raise InputError(f"{location}: the entry {name!r} is a link or device; it is refused.")
        if name in names:
            raise InputError(f"{location}: two files have the name {name!r}; the archive is refused.")
        names.add(name)
        yield name, entry


def check_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Raises RunError if the disk that holds `folder` has less than `needed_bytes` free."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if needed_bytes > free_bytes:
        raise RunError(
            f"{what} needs {needed_bytes / MEGABYTE:.0f} MB below {folder} and the disk has "
            f"{free_bytes / MEGABYTE:.0f} MB free."
        )


@contextmanager
def _writing(folder: Path, name: str, location: str) -> Iterator[IO[bytes]]:
    """Opens a new file of an unpacked archive; one that is there already is another entry's."""
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            yield file
    except (FileExistsError, NotADirectoryError):  # where case does not count, also a name in other case
        raise InputError(
            f"{location}: the entry {name!r} has the name of another file or folder; the archive is refused."
        ) from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise InputError(f"{location}: {name[:100]!r} is no name for a file ({error.strerror}).") from None
        raise RunError(f"{location}: {name!r} cannot be written below {folder.parent} ({error.strerror}).") from None


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
