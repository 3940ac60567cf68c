"""Which files are pictures: one rule for folders, zips and single files, and the count of what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from scenetext.text.natural_order import natural_key

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
"""The ends of picture files' names, in lower case."""

LARGEST_BYTES = 1 << 28
"""A larger file is no picture of text: 50 million pixels of four channels, not compressed, are 200 MB."""

_MAC_FOLDER = "__MACOSX"
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


class Kind(Enum):
    """Why a file or folder is passed over: the words for one of the kind, and for several."""

    JUNK = ("junk file", "junk files")
    NO_PICTURE = ("file that is no picture", "files that are no pictures")
    LINKED = ("linked folder that is read already", "linked folders that are read already")


def kind_of(path: str) -> Kind | None:
    """Why a file is passed over; None for a picture.

    Junk is what systems and editors leave behind: all below `__MACOSX`, all whose own name or whose folder's name
    begins with a dot (`._1.jpg`, `.ipynb_checkpoints/1-checkpoint.jpg`), `Thumbs.db` and `desktop.ini`. Of the other
    files those are pictures whose names end in one of IMAGE_SUFFIXES.

    Args:
        path: the file's path inside the folder or zip, with forward slashes.
    """
    lower = path.lower()
    if not _may_be_junk(path) and lower.endswith(IMAGE_SUFFIXES):  # nearly all files
        return None
    if is_junk_path(path) or lower.rpartition("/")[2] in _SYSTEM_FILES:
        return Kind.JUNK
    return None if lower.endswith(IMAGE_SUFFIXES) else Kind.NO_PICTURE


def with_forward_slashes(name: str) -> list[str]:
    """What a label's name may mean: itself, and if Windows wrote it with backslashes, the same with forward ones."""
    return [name, name.replace("\\", "/")] if "\\" in name else [name]


def is_junk_path(path: str) -> bool:
    """Whether a part of a path, with forward slashes, is `__MACOSX` or begins with a dot ("." and ".." aside)."""
    if not _may_be_junk(path):
        return False
    return any(part == _MAC_FOLDER or (part[:1] == "." and part not in (".", "..")) for part in path.split("/"))


def _may_be_junk(path: str) -> bool:
    """False for nearly all paths, by a quicker look than `is_junk_path`."""
    return path[:1] == "." or "/." in path or _MAC_FOLDER in path


@dataclass(slots=True)
class PassedOver:
    """What a scan left out, by kind; `str` gives the sentence for users, `bool` is false if nothing was left out.

    Attributes:
        counts: how many of each kind.
        firsts: of each kind the first name in natural order.
    """

    counts: dict[Kind, int] = field(default_factory=dict)
    firsts: dict[Kind, str] = field(default_factory=dict)

    def add(self, kind: Kind, name: str) -> None:
        """Counts one file or folder."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        first = self.firsts.setdefault(kind, name)
        if first != name and natural_key(name) < natural_key(first):
            self.firsts[kind] = name

    @property
    def total(self) -> int:
        """How many were left out."""
        return sum(self.counts.values())

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        return passed_over_sentence(self.entries())

    def entries(self) -> list[dict[str, Any]]:
        """Kind, count and first name of what was left out, for JSON; one entry a kind."""
        counted = ((kind, self.counts[kind]) for kind in Kind if kind in self.counts)
        return [{"kind": kind.value[count > 1], "count": count, "first": self.firsts[kind]} for kind, count in counted]


def passed_over_sentence(entries: Sequence[Mapping[str, Any]]) -> str:
    """The sentence for users on entries of `PassedOver.entries`, without its full stop."""
    parts = (f"{e['count']} {e['kind']} ({e['first']}{', …' if e['count'] > 1 else ''})" for e in entries)
    return f"passed over: {', '.join(parts)}"
