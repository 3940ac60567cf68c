"""The files of an exported folder: their checksums, and a guard against a folder that changes while it is opened.

`scenetext export` writes the SHA-256 of the program and of its parameters into `inference.yml`, under a key of its own
that other readers pass over. Folders without that key, such as PaddleOCR's own, are read unchecked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scenetext.errors import InputError, RunError
from scenetext.system.files import sha256_file

CHECKSUMS_KEY = "Checksums"  # of inference.yml: file name → SHA-256 in hexadecimal
FILES = "inference.*"
FILE_NAME = "inference.yml"  # the settings


def file_facts(folder: str | Path) -> dict[str, dict[str, Any]]:
    """The SHA-256 and the size in bytes of every file of an exported folder, by its name."""
    return {path.name: {"sha256": sha256_file(path), "size_bytes": path.stat().st_size} for path in _files(folder)}


def checksums(folder: str | Path) -> dict[str, str]:
    """The SHA-256 of the program and its parameters, by file name; those that `inference.yml` gets."""
    return {path.name: sha256_file(path) for path in _files(folder) if path.name != FILE_NAME}


def read_checksums(settings: Mapping[str, Any], location: object) -> dict[str, str]:
    """The checksums in the content of an `inference.yml`; empty where there are none.

    Raises:
        InputError: the entry is not a mapping of texts.
    """
    found = settings.get(CHECKSUMS_KEY)
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(text, str) for pair in found.items() for text in pair):
        raise InputError(
            f"{location}: {CHECKSUMS_KEY} is not a mapping of file names to SHA-256 in hexadecimal: copy the folder "
            "again, or remove the entry."
        )
    return dict(found)


def check_files(folder: str | Path, facts: Mapping[str, Mapping[str, Any]], expected: Mapping[str, str]) -> None:
    """Compares the files of an exported folder with its checksums; files without a checksum are not checked.

    Args:
        folder: the exported folder.
        facts: what `file_facts` found.
        expected: what `read_checksums` found.

    Raises:
        InputError: a file has another SHA-256.
    """
    for name, checksum in expected.items():
        if name in facts and facts[name]["sha256"] != checksum.lower():
            raise InputError(
                f"{Path(folder) / name} ({facts[name]['size_bytes']:,} bytes) is not the file that was exported: its "
                f"SHA-256 differs from the one under {CHECKSUMS_KEY} in {FILE_NAME}; copy the folder again, or export "
                f"again. If you changed the file yourself, remove {CHECKSUMS_KEY} from {FILE_NAME}."
            )


@contextmanager
def unchanged(folder: str | Path) -> Iterator[None]:
    """Guards the opening of an exported folder, so that files of two exports are never read as one.

    Raises:
        RunError: a file of the folder was changed or replaced within the block.
    """
    before = _identities(folder)

    def check(cause: BaseException | None) -> None:
        if _identities(folder) != before:
            raise RunError(
                f"{folder} was changed while it was being opened: start the command again when it is complete."
            ) from cause

    try:
        yield
    except (InputError, RunError, OSError) as error:
        check(error)
        raise
    check(None)


def _files(folder: str | Path) -> list[Path]:
    return sorted(path for path in Path(folder).glob(FILES) if path.is_file())


def _identities(folder: str | Path) -> list[tuple[Any, ...]]:
    """What changes with a file or when another one takes its place."""
    found = []
    for path in sorted(Path(folder).glob(FILES)):
        try:
            status = os.stat(path)
        except OSError:  # it was removed meanwhile, or is a link that leads nowhere
            found.append((path.name,))
        else:
            found.append((path.name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return found
