"""Reads label files of text detection: PaddleOCR's lines of a name, a tab, and the boxes of the photo as JSON.

`[{"transcription": "出口", "points": [[x, y], [x, y], ...]}, ...]`; other keys are passed over. Text whose
transcription is `###` or `*` cannot be read by anybody: it is ignored, neither learned nor counted.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.text.encodings import read_text
from scenetext.text.records import LONGEST_LABEL_BYTES, LONGEST_NAME_BYTES

IGNORED = ("###", "*")
FEWEST_POINTS, MOST_POINTS = 3, 1000
MOST_BOXES = 20_000
FARTHEST = 1e6  # pixels: coordinates are in a photo, or near it
_SHOWN = 60  # characters of a label in a message


@dataclass(frozen=True, slots=True)
class TextBox:
    """One text of a photo.

    Attributes:
        points: (x, y) in pixels of the photo, turned as its EXIF orientation asks; they may lie outside of it.
        text: the transcription.
    """

    points: tuple[tuple[float, float], ...]
    text: str

    @property
    def ignored(self) -> bool:
        """Whether the text is neither learned nor counted."""
        return self.text in IGNORED


@dataclass(frozen=True, slots=True)
class PhotoLabel:
    """The texts of one photo.

    Attributes:
        name: of the photo's file.
        boxes: its texts; none is allowed.
        location: the location of the label, such as "train_label.txt:17".
    """

    name: str
    boxes: tuple[TextBox, ...]
    location: str

    @property
    def text(self) -> str:
        """The boxes as the JSON of a label file."""
        return json.dumps([{"transcription": b.text, "points": b.points} for b in self.boxes], ensure_ascii=False)

    @property
    def outlines(self) -> list[np.ndarray]:
        """The points of each box, (N, 2) float32."""
        return [np.array(box.points, np.float32) for box in self.boxes]

    @property
    def ignored(self) -> list[bool]:
        """Of each box, whether it is neither learned nor counted."""
        return [box.ignored for box in self.boxes]


def read_photo_labels(path: str | Path) -> PhotoTable:
    """Reads a label file of text detection.

    Args:
        path: the file.

    Returns:
        The label of each line; blank lines are left out.

    Raises:
        InputError: the file cannot be read as text, or a line is no such label; the message names the line.
    """
    path = Path(path)
    text, _ = read_text(path, prefer="utf-8")
    labels = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if line.strip():
            labels.append(_label(line, f"{path.name}:{number}"))
    return PhotoTable(labels)


class PhotoTable(Sequence[PhotoLabel]):
    """The labels of many photos; it has what training needs of a `RecordTable`.

    Args:
        labels: one for each photo.
    """

    def __init__(self, labels: Iterable[PhotoLabel]):
        self._labels = tuple(labels)

    @classmethod
    def joined(cls, tables: Iterable[PhotoTable]) -> PhotoTable:
        """The labels of several tables."""
        return cls(label for table in tables for label in table)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int | slice) -> PhotoLabel | PhotoTable:
        return PhotoTable(self._labels[index]) if isinstance(index, slice) else self._labels[index]

    def take(self, indices: Iterable[int]) -> PhotoTable:
        """The labels at these indices."""
        return PhotoTable(self._labels[int(index)] for index in indices)

    def digest(self) -> bytes:
        """SHA-256 of names and boxes; locations do not enter it."""
        total = hashlib.sha256()
        for label in self:
            total.update(f"{label.name}\t{label.text}\n".encode())
        return total.digest()


def _label(line: str, location: str) -> PhotoLabel:
    name, tab, text = line.partition("\t")
    name = name.strip()
    if not tab or not name or len(name) > LONGEST_NAME_BYTES:
        raise InputError(
            f"{location}: {_short(line)} is no label of text detection: give a photo's name, a tab, and its boxes as "
            "JSON."
        )
    try:
        boxes = json.loads(text)
    except (ValueError, RecursionError):
        boxes = None
    if not isinstance(boxes, list):
        hint = "a text, as in a label file of text recognition" if text.strip()[:1] not in ("[", "{") else "no list"
        raise InputError(
            f"{location}: the label of {name}, {_short(text)}, is {hint}; a detector needs the boxes as JSON, "
            '[{"transcription": "text", "points": [[x, y], ...]}, ...].'
        )
    if len(boxes) > MOST_BOXES:
        raise InputError(f"{location}: {name} has {len(boxes):,} boxes; {MOST_BOXES:,} are the most: split the photo.")
    return PhotoLabel(
        name, tuple(_box(box, f"{location}: box {n} of {name}") for n, box in enumerate(boxes, 1)), location
    )


def _box(box: Any, location: str) -> TextBox:
    if not isinstance(box, dict) or "points" not in box or not isinstance(box.get("transcription"), str):
        raise InputError(f"{location} is {_short(json.dumps(box, ensure_ascii=False))}: give transcription and points.")
    text, points = box["transcription"], box["points"]
    if len(text) > LONGEST_LABEL_BYTES:
        raise InputError(f"{location} has a transcription of {len(text):,} characters, more than a text has.")
    if not isinstance(points, list) or not FEWEST_POINTS <= len(points) <= MOST_POINTS:
        count = len(points) if isinstance(points, list) else "no list of"
        raise InputError(f"{location} has {count} points; an outline has {FEWEST_POINTS} to {MOST_POINTS}.")
    for point in points:
        if not (isinstance(point, list) and len(point) == 2 and all(map(_is_coordinate, point))):
            raise InputError(
                f"{location} has the point {_short(json.dumps(point))}: give [x, y] in pixels, at most {FARTHEST:g}."
            )
    return TextBox(tuple((float(x), float(y)) for x, y in points), text)


def _is_coordinate(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) <= FARTHEST
    )


def _short(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"
