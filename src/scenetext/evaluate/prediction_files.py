"""Reads files of predictions: those of `predict`, `submit` and `evaluate`, and the same forms of other software.

- lines `name<TAB>text` or `name<TAB>text<TAB>confidence`, as `scenetext predict` and PaddleOCR's `infer_rec.py` write
  them,
- `predicts.txt`, the same lines under the header `new_name<TAB>value`,
- a CSV with the columns `name` and `prediction` (or `value`, `text`), such as the `predictions.csv` of an evaluation,
  which may also have `confidence`, `width_px`, `height_px` and `target`,
- the log of PaddleOCR's `tools/infer/predict_rec.py`, or of `predict --form predict_rec`; its other messages are passed
  over.
"""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from scenetext.errors import InputError
from scenetext.predict.log_lines import is_logged, logged_line, names_a_picture
from scenetext.system.file_names import shown_path
from scenetext.system.untrusted import reading
from scenetext.text.encodings import read_text, split_lines
from scenetext.text.label_files import short, without_quotes
from scenetext.text.records import LONGEST_LABEL_BYTES, LONGEST_NAME_BYTES

_NAMES, _TEXTS = ("new_name", "name"), ("value", "text", "prediction")  # what a header calls the two columns
_SLACK = 1e-3  # a mean of probabilities in half precision may lie this far above 1


@dataclass(slots=True)
class PredictionFile:
    """What a file says of each line, in its order.

    Attributes:
        path: the file.
        names: of the pictures, each once.
        texts: what was read.
        confidences: in [0, 1]; empty where the file has none.
        widths_px, heights_px: of the pictures, 0 by 0 for unreadable ones; empty where the file has none.
        targets: the labels that the predictions were scored against; empty where the file has none.
    """

    path: Path
    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    confidences: Sequence[float] = field(default_factory=lambda: array("d"))
    widths_px: Sequence[int] = field(default_factory=lambda: array("l"))
    heights_px: Sequence[int] = field(default_factory=lambda: array("l"))
    targets: list[str] = field(default_factory=list)

    def without(self, names: Collection[str]) -> PredictionFile:
        """The same lines but those of some names."""
        if not names:
            return self
        kept = [at for at, name in enumerate(self.names) if name not in names]
        columns = [getattr(self, each.name) for each in fields(self)[1:]]
        return PredictionFile(self.path, *([column[at] for at in kept] if column else column for column in columns))


def read_predictions(path: str | Path) -> PredictionFile:
    """Reads a file of predictions of any of the forms above.

    Raises:
        InputError: the file cannot be read, holds no prediction, a name stands in it twice, or a row is wrong.
    """
    path = Path(path)
    with reading(shown_path(path), "a file of predictions", "give one that predict, submit or evaluate wrote"):
        text, _ = read_text(path, prefer="utf-8")
        if path.suffix.lower() == ".csv":
            read = _read_csv(path, text)
        else:
            read = _read_log(path, text) if any(map(is_logged, split_lines(text))) else _read_tabbed(path, text)
    if not read.names:
        raise InputError(f"{shown_path(path)} holds no prediction: give lines of a name, a tab and a text.")
    return read


def _read_tabbed(path: Path, text: str) -> PredictionFile:
    read, lines = PredictionFile(path), _Lines(path)
    text = without_quotes(path, text.encode("utf-8")).decode("utf-8")
    width = 0  # columns of the first row, which all others have
    for number, line in enumerate(split_lines(text), 1):
        cells = line.split("\t")
        if not line.strip() or (number == 1 and cells[0] in _NAMES and cells[1:2] and cells[1] in _TEXTS):
            continue
        width = width or len(cells)
        if len(cells) != width or width not in (2, 3):
            wanted = f"{width} columns like the rows before" if width in (2, 3) else "a name, a tab and a text"
            raise InputError(f"{path.name}:{number}: {short(line)} has {len(cells)} columns, not {wanted}.")
        lines.add(read, number, cells[0].strip(), cells[1])
        if width == 3:
            read.confidences.append(lines.confidence(number, cells[2], cells[1]))
    return read


def _read_log(path: Path, text: str) -> PredictionFile:
    read, lines = PredictionFile(path), _Lines(path)
    for number, line in enumerate(split_lines(text), 1):
        if not names_a_picture(line):
            continue
        logged = logged_line(line)
        if logged is None:
            raise InputError(f"{path.name}:{number}: {short(line)} is no whole line of predict_rec's log.")
        lines.add(read, number, logged.path, logged.text)
        read.confidences.append(lines.confidence(number, logged.score, logged.text))
    return read


def _read_csv(path: Path, text: str) -> PredictionFile:
    read, lines = PredictionFile(path), _Lines(path)
    rows = _csv_rows(path, text)
    number, header = next(rows, (1, []))
    columns = {name.strip(): at for at, name in enumerate(header)}
    name_at = next((columns[name] for name in _NAMES if name in columns), None)
    text_at = next((columns[name] for name in reversed(_TEXTS) if name in columns), None)
    if name_at is None or text_at is None:
        raise InputError(
            f"{path.name}:1 has no columns name and prediction (found: {', '.join(header) or 'nothing'}); give the "
            "predictions.csv of an evaluation, or lines of a name, a tab and a text."
        )
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(f"{path.name}:{number} has {len(row)} fields where the header has {len(header)}.")
        lines.add(read, number, row[name_at].strip(), row[text_at])
        cell = row[columns["confidence"]] if "confidence" in columns else ""
        if cell or read.confidences:  # the column is empty where an evaluation knew none
            if len(read.confidences) < len(read.names) - 1:
                raise InputError(f"{path.name}:{number} has a confidence, but rows before it have none.")
            read.confidences.append(lines.confidence(number, cell, row[text_at]))
        if "width_px" in columns and "height_px" in columns:
            read.widths_px.append(lines.pixels(number, row[columns["width_px"]]))
            read.heights_px.append(lines.pixels(number, row[columns["height_px"]]))
        if "target" in columns:
            read.targets.append(row[columns["target"]])
    return read


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of the line at which a row ends, and its fields."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        raise InputError(f"{path.name}:{rows.line_num} is no row of a CSV ({error}): write the file again.") from None


class _Lines:
    """Checks the rows of one file."""

    def __init__(self, path: Path):
        self._path = path
        self._numbers: dict[str, int] = {}

    def add(self, read: PredictionFile, number: int, name: str, text: str) -> None:
        """Adds a name and a text; InputError for a name that cannot be one or stands in the file already."""
        if not name or len(name) > LONGEST_NAME_BYTES:
            raise InputError(f"{self._path.name}:{number}: {short(name)} is no name of a picture.")
        if len(text) > LONGEST_LABEL_BYTES:
            raise InputError(f"{self._path.name}:{number}: a text of {len(text):,} characters is no line of text.")
        before = self._numbers.setdefault(name, number)
        if before != number:
            raise InputError(
                f"{self._path.name}:{number}: {name} stands in line {before} already; a file has one prediction for "
                "each picture."
            )
        read.names.append(name)
        read.texts.append(text)

    def confidence(self, number: int, cell: str, text: str) -> float:
        """A confidence; PaddleOCR writes nan for a line on which it reads nothing, which counts as 0."""
        value = _number(cell)
        if math.isnan(value) and cell.strip().lower() == "nan" and not text:
            return 0.0
        if not 0 <= value <= 1 + _SLACK:
            raise InputError(f"{self._path.name}:{number}: the confidence {short(cell)} is no number from 0 to 1.")
        return min(value, 1.0)

    def pixels(self, number: int, cell: str) -> int:
        """A width or height."""
        if not cell.isdecimal() or len(cell) > 9:
            raise InputError(f"{self._path.name}:{number}: {short(cell)} is no number of pixels.")
        return int(cell)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
