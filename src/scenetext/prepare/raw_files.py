"""Finding a competition's files in a folder; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenetext.data.sources.picture_files import is_junk_path
from scenetext.errors import InputError
from scenetext.system.files import sha256_file

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
    """Looks in `raw` and, for files that it lacks, in the folders directly below it except `out`.

    Raises:
        InputError: `raw` is no folder, labels or training pictures are absent, or a name is found in several folders.
    """
    if not raw.is_dir():
        what = "is a file" if raw.exists() else "does not exist"
        raise InputError(f"{raw} {what}; name the folder that holds the zips or folders of pictures and the labels.")
    folders = [path for path in raw.iterdir() if path.is_dir() and not is_junk_path(path.name)]
    folders = sorted(path for path in folders if path.resolve() != out.resolve())

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


def describe_file(path: Path) -> dict[str, str | int]:
    """A file's name, size and hash for a report."""
    return {"file": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_file(path)}
