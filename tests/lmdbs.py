"""LMDBs of text lines, as the benchmarks of the literature are passed around, written with the library `lmdb`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lmdb


def write_lmdb(folder: Path, lines: Sequence[tuple[bytes, str]], **changes: bytes | None) -> Path:
    """Writes picture files and labels; `changes` are further keys, or keys to leave out, with "_" for "-"."""
    entries: dict[str, bytes | None] = {"num-samples": str(len(lines)).encode()}
    for number, (picture, label) in enumerate(lines, 1):
        entries |= {f"image-{number:09d}": picture, f"label-{number:09d}": label.encode()}
    entries |= {key.replace("_", "-"): value for key, value in changes.items()}
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, value in entries.items():
            if value is not None:
                transaction.put(key.encode(), value)
    return folder
