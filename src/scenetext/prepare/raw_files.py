"""Finding a competition's files in a folder, and reading pictures from a zip or a folder alike; nothing is changed."""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scenetext.errors import InputError
from scenetext.system.archives import ZIP_READ_ERRORS, open_zip, zip_entries
from scenetext.system.files import sha256_file

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})

TRAIN_LABELS = ("train_label.csv", "train.csv", "train.txt")
VAL_LABELS = ("val_label.csv", "val.csv", "val.txt")
TRAIN_IMAGES = ("train_images.zip", "train_images", "train.zip", "train", "images.zip", "images")
TEST_IMAGES = ("test_images.zip", "test_images", "test.zip", "test")


@dataclass(frozen=True, slots=True)
class RawFiles:
    """What a folder holds; `val_labels` and `test_images` may be absent."""

    train_labels: Path
    train_images: Path
    val_labels: Path | None
    test_images: Path | None


def find_raw_files(raw: Path, out: Path) -> RawFiles:
    """Looks in `raw` and, for what is not there, in the folders directly below it, leaving out `out`.

    Raises:
        InputError: `raw` is no folder, labels or training pictures are absent, or a name is found in several folders.
    """
    if not raw.is_dir():
        what = "is a file" if raw.exists() else "does not exist"
        raise InputError(f"{raw} {what}; name the folder that holds the zips or folders of pictures and the labels.")
    folders = sorted(path for path in raw.iterdir() if path.is_dir() and path.resolve() != out.resolve())

    def find(names: Sequence[str]) -> Path | None:
        for name in names:
            if (raw / name).exists():
                return raw / name
        pictures = {*TRAIN_IMAGES, *TEST_IMAGES}
        for name in names:
            found = [folder / name for folder in folders if folder.name not in pictures and (folder / name).exists()]
            if len(found) > 1:
                raise InputError(f"{name} lies in several folders ({', '.join(map(str, found))}); keep one.")
            if found:
                return found[0]
        return None

    def needed(names: Sequence[str], what: str) -> Path:
        found = find(names)
        if found is None:
            raise InputError(f"{raw} holds no {what}: none of {', '.join(names)}, nor the folders directly below it.")
        return found

    train_labels = needed(TRAIN_LABELS, "labels")
    return RawFiles(train_labels, needed(TRAIN_IMAGES, "training pictures"), find(VAL_LABELS), find(TEST_IMAGES))


class ImageSet:
    """The pictures of a zip or a folder, by names without the folders that all of them share.

    Junk that systems leave behind (`__MACOSX`, `Thumbs.db`, names that begin with a dot) and files without a picture's
    suffix are passed over and counted. Use it as a context manager.

    Attributes:
        path: the zip or folder.
        names: the names in natural order ("2.jpg" before "10.jpg").
        ignored: how many files were passed over.
        size_bytes: the pictures' total size.

    Raises:
        InputError: the zip is missing, broken or unsafe, a name holds a tab or line break, or there is no picture.
    """

    def __init__(self, path: Path):
        self.path = path
        self._stack = ExitStack()
        with ExitStack() as stack:
            self._zip = None if path.is_dir() else stack.enter_context(open_zip(path))
            entries: dict[str, tuple[Path | zipfile.ZipInfo, int]]
            if self._zip is None:
                entries = {file.relative_to(path).as_posix(): (file, file.stat().st_size) for file in _walk(path)}
            else:
                entries = {name: (info, info.file_size) for name, info in zip_entries(self._zip).items()}
            pictures = {name: entry for name, entry in entries.items() if _is_picture(name)}
            self.ignored = len(entries) - len(pictures)
            if not pictures:
                raise InputError(f"{path} holds no picture ({', '.join(sorted(IMAGE_SUFFIXES))}).")
            top = _shared_folders(pictures)
            self._entries = {name[len(top) :]: entry for name, entry in pictures.items()}
            self.names = sorted(self._entries, key=natural_key)
            self.size_bytes = sum(size for _, size in pictures.values())
            for name in self.names:
                if any(unicodedata.category(character) == "Cc" for character in name):
                    raise InputError(f"{path}: the name {name!r} holds a tab, line break or the like; rename the file.")
            self._stack = stack.pop_all()
        counts = Counter(PurePosixPath(name).name for name in self.names)
        self._by_bare_name = {PurePosixPath(n).name: n for n in self.names if counts[PurePosixPath(n).name] == 1}

    def __enter__(self) -> ImageSet:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def find(self, name: str) -> str | None:
        """The picture that a label means: the same path, or its end, or the only picture of that bare name."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for k in range(len(parts)):
            if "/".join(parts[k:]) in self._entries:
                return "/".join(parts[k:])
        return self._by_bare_name.get(parts[-1]) if len(parts) == 1 else None

    def read(self, name: str) -> bytes:
        """The bytes of a picture; safe to call from several threads.

        Raises:
            InputError: the entry is broken or the file cannot be read.
        """
        entry = self._entries[name][0]
        try:
            return entry.read_bytes() if isinstance(entry, Path) else self._zip.read(entry)
        except ZIP_READ_ERRORS as error:
            raise InputError(f"{self.place(name)} is broken in the zip ({error}).") from None
        except OSError as error:
            raise InputError(f"{self.place(name)} cannot be read: {error.strerror}.") from None

    def place(self, name: str) -> str:
        """What messages call a picture, for example "train_images.zip/17.jpg"."""
        return f"{self.path.name}/{name}"

    def describe(self, hashes: dict[str, str]) -> dict[str, str | int]:
        """The source for a report; `hashes` holds the SHA-256 of each picture, which stand for a folder's own."""
        if self._zip is not None:
            return describe_file(self.path)
        digest = hashlib.sha256("".join(f"{hashes[name]} {name}\n" for name in self.names).encode())
        return {"file": self.path.name + "/", "size_bytes": self.size_bytes, "sha256": digest.hexdigest()}


def describe_file(path: Path) -> dict[str, str | int]:
    """A file's name, size and hash for a report."""
    return {"file": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_file(path)}


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts names as people do: runs of digits by value, so that 2.jpg comes before 10.jpg."""
    key: list[tuple[int, int | str]] = []
    run = ""
    for character in [*name, ""]:
        if run and (not character or character.isdecimal() != run[-1].isdecimal()):
            key.append((0, int(run)) if run.isdecimal() else (1, run))
            run = ""
        run += character
    return (*key, (2, name))  # "01" and "1" are equal so far


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    junk = "__MACOSX" in path.parts or any(part.startswith(".") for part in path.parts)
    return not junk and path.suffix.lower() in IMAGE_SUFFIXES


def _shared_folders(names: Sequence[str] | dict[str, object]) -> str:
    """The folders, with the slash behind them, in which all names lie."""
    first = None
    for name in names:
        folders = PurePosixPath(name).parts[:-1]
        if first is None:
            first = folders
        common = 0
        while common < min(len(first), len(folders)) and first[common] == folders[common]:
            common += 1
        first = first[:common]
    return "".join(part + "/" for part in first or ())
