"""Reads label files as records that know their location.

A fault of the file (missing columns, an undecodable byte, mixed encodings) is an `InputError`. A fault of one row (an
empty label, a tab, one name with two labels) is a `Problem`: the row is reported with its location and left out; no
other row takes its place.
"""

from __future__ import annotations

import csv
import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.files import write_text
from scenetext.text.encodings import read_text, split_lines
from scenetext.text.other_labels import are_angles, is_list_of_boxes, may_be_list_of_names, names_in, unquoted
from scenetext.text.records import LONGEST_LABEL_BYTES, LONGEST_NAME_BYTES, Record, RecordTable, tabbed_table

_CONTINUATION_LINES = 8  # the most further lines that a quoted label may cover
_CONTROL_KINDS = {"\t": "tab in label", "\n": "newline in label", "\r": "newline in label"}
_SHOWN = 80  # characters of a label or line in a message
_SHOWN_LABELS = 5  # labels of one name in a message
_ROW_START = re.compile(r"""[^",]+\.\w{2,4},""")  # a line that begins like "17.jpg," is a new row


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or an image that was left out.

    Attributes:
        location: the location, such as "train_label.csv:17".
        kind: what is wrong, in a few words that are the same for all rows with this fault.
        name: the image's name.
        detail: what is wrong with this row.
    """

    location: str
    kind: str
    name: str
    detail: str


@dataclass(slots=True)
class LabelTable:
    """A label file that was read.

    Attributes:
        records: the good rows.
        encoding: of the file, as `read_text` names it.
        problems: the rows that were left out.
        repeated_rows: rows that were left out because an equal row came before.
    """

    records: list[Record]
    encoding: str
    problems: list[Problem] = field(default_factory=list)
    repeated_rows: int = 0


def read_csv(path: str | Path) -> LabelTable:
    """Reads labels in the competition's form: comma separated, with columns `name` and `value` at any position.

    Args:
        path: the file.

    Returns:
        Its rows; further columns are ignored.

    Raises:
        InputError: the file cannot be read as text, or a column is missing.
    """
    path = Path(path)
    text, encoding = read_text(path)
    table = LabelTable([], encoding)
    rows = _csv_rows(split_lines(text), path.name, table.problems)
    _, header = next(rows, ("", []))
    header = [column.strip() for column in header]
    missing = [column for column in ("name", "value") if column not in header]
    if missing:
        raise InputError(
            f"{path.name}:1 has no column {' and '.join(missing)} (found: {', '.join(header) or 'nothing'}); "
            f"{path} needs the columns name,value."
        )
    name_at, value_at = header.index("name"), header.index("value")
    for location, row in rows:
        if len(row) == len(header):
            _add(table, _checked(Record(row[name_at].strip(), row[value_at], location)))
        else:
            detail = f"{len(row)} fields where the header has {len(header)}; a label that holds a comma needs quotes"
            table.problems.append(Problem(location, "wrong number of fields", row[0].strip(), detail))
    return without_repeats(table)


def read_label_table(path: str | Path) -> LabelTable:
    """Reads a label file of either form: a `.csv` by `read_csv`, any other file as PaddleOCR's `name<TAB>text`.

    Args:
        path: the file.

    Returns:
        Its rows.

    Raises:
        InputError: the file cannot be read as text, no line of it has a tab, or it is one of another task.
    """
    path = Path(path)
    table = read_csv(path) if path.suffix.lower() == ".csv" else without_repeats(_read_tabbed(path))
    _check_task(path, table.records)
    return table


def read_label_file(path: str | Path) -> RecordTable:
    """Reads a PaddleOCR label file in which every line must be good, such as those that `scenetext prepare` writes.

    Names may repeat: such files give a line more weight by repeating it.

    Args:
        path: the file.

    Returns:
        Its rows, those of blank lines left out.

    Raises:
        InputError: the file cannot be read as text, is one of another task, or a line has no tab, more than one, or no
            label.
    """
    path = Path(path)
    firsts: dict[str, Problem] = {}  # the first problem of each kind, because a large file may hold millions

    def is_good(line: str, number: int) -> bool:
        row = _tabbed_row(line, f"{path.name}:{number}")
        if isinstance(row, Problem):
            firsts.setdefault(row.kind, row)
        return isinstance(row, Record)

    table = tabbed_table(_read_utf8(path), lambda _, number: f"{path.name}:{number}", is_good)
    if firsts:
        first = next(iter(firsts.values()))
        if not len(table) and "no tab" in firsts:
            raise _no_label_file(path, first)
        raise InputError(f"{first.location}: {first.detail}.")
    _check_task(path, table)
    return table


def write_label_file(path: str | Path, records: Iterable[Record]) -> None:
    """Writes records as PaddleOCR's `name<TAB>text` lines in UTF-8 with LF.

    Args:
        path: the file.
        records: their names and texts are written.
    """
    write_text(path, label_lines(records))


def label_lines(records: Iterable[Record]) -> str:
    """Records as PaddleOCR's `name<TAB>text` lines."""
    return "".join(f"{record.name}\t{record.text}\n" for record in records)


def _csv_rows(lines: list[str], file_name: str, problems: list[Problem]) -> Iterable[tuple[str, list[str]]]:
    """Yields (location, fields) of each row; a row whose quotes do not balance is reported and ends with its line."""
    at = 0
    while at < len(lines):
        location, line, at = f"{file_name}:{at + 1}", lines[at], at + 1
        if not line.strip():
            continue
        row = line.split(",") if '"' not in line else None
        for end in () if row else range(at, min(at + _CONTINUATION_LINES, len(lines)) + 1):
            if end > at and _ROW_START.match(lines[end - 1]):
                break  # the next row begins, so the quote was never closed
            row = _quoted_row("\n".join([line, *lines[at:end]]))
            if row:
                at = end
                break
        if row:
            yield location, row
        else:
            detail = (
                f'the quotes of {short(line)} do not balance; a label that holds " needs quotes around it and "" for "'
            )
            problems.append(Problem(location, "quotes do not balance", line.split(",")[0].strip(), detail))


def _quoted_row(line: str) -> list[str] | None:
    try:
        rows = list(csv.reader([line], strict=True))
    except csv.Error:
        return None
    return rows[0]


def _read_utf8(path: Path) -> bytes:
    return without_quotes(path, read_text(path, prefer="utf-8")[0].encode("utf-8"))  # a str takes more memory


def without_quotes(path: Path, data: bytes) -> bytes:
    """Labels without the quotes that pandas put around them, which a warning says."""
    plain, count = unquoted(data)
    if count:
        warnings.warn(
            f"{path.name}: {count} labels stand in quotes and the quotes in them are doubled, as pandas' to_csv writes "
            'them; they are read without, "5""屏" as 5"屏.',
            stacklevel=1,
        )
    return plain


def _check_task(path: Path, records: Sequence[Record]) -> None:
    """Raises InputError if the labels are those of an angle classifier."""
    if are_angles(record.text for record in records):
        raise InputError(
            f"{path}: every label is 0 or 180, as in a label file of the angle classifier; name the label file of text "
            "recognition."
        )


def _read_tabbed(path: Path) -> LabelTable:
    text, encoding = read_text(path, prefer="utf-8")
    table = LabelTable([], encoding)
    text = without_quotes(path, text.encode("utf-8")).decode("utf-8")
    for number, line in enumerate(split_lines(text), 1):
        name, tab, label = line.partition("\t")
        for each in names_in(name.strip()) if tab else [name]:
            _add(table, _tabbed_row(f"{each}{tab}{label}", f"{path.name}:{number}"))
    if not table.records and any(problem.kind == "no tab" for problem in table.problems):
        raise _no_label_file(path, table.problems[0])
    return table


def _no_label_file(path: Path, first: Problem) -> InputError:
    return InputError(f"{path} has no line of the form name<TAB>text; {first.detail}.")


def _tabbed_row(line: str, location: str) -> Record | Problem | None:
    """The record of a line, or what is wrong with it; None for a blank line."""
    if not line.strip():
        return None
    name, tab, label = line.partition("\t")
    if tab:
        return _checked(Record(name.strip(), label, location))
    detail = f"{short(line)} has no tab between the image's name and its text"
    return Problem(location, "no tab", name.split(" ")[0][:LONGEST_NAME_BYTES], detail)


def _checked(record: Record) -> Record | Problem:
    """The record, or what is wrong with it."""
    if is_list_of_boxes(record.text):
        kind = "label of another task"
        detail = (
            f"the label of {record.name[:_SHOWN]} is a list of boxes, as in a label file of text detection; name that "
            "of text recognition, which PPOCRLabel writes as rec_gt.txt (File, Export Recognition Result)"
        )
    elif may_be_list_of_names(record.name):
        kind = "several names"
        detail = (
            f"{short(record.name)} names several pictures of one text; write a line for each of them, which "
            "`scenetext prepare` does, too"
        )
    elif not record.name:
        kind, detail = "no name", "the row names no image"
    elif len(record.name) > LONGEST_NAME_BYTES:
        kind = "no name"
        detail = f"the name {short(record.name)} has {len(record.name):,} characters, more than any file's"
    elif len(record.text) > LONGEST_LABEL_BYTES or len(record.text.encode("utf-8")) > LONGEST_LABEL_BYTES:
        kind = "label too long"
        detail = f"the label of {record.name} has {len(record.text):,} characters, more than a line of text has"
    elif not record.text.strip():
        kind, detail = "empty label", f"the label of {record.name} is empty"
    elif (control := _control_character(record.text)) is not None:
        kind = _CONTROL_KINDS.get(control, "control character")
        detail = f"the label of {record.name}, {short(record.text)}, holds U+{ord(control):04X}"
    else:
        return record
    return Problem(record.location, kind, record.name[:LONGEST_NAME_BYTES], detail)


def _control_character(text: str) -> str | None:
    return None if text.isprintable() else next((c for c in text if unicodedata.category(c) == "Cc"), None)


def short(text: str) -> str:
    """A text in quotes for a message, its end left out if it is long."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


def _add(table: LabelTable, row: Record | Problem | None) -> None:
    if isinstance(row, Record):
        table.records.append(row)
    elif row is not None:
        table.problems.append(row)


def without_repeats(table: LabelTable) -> LabelTable:
    """Removes repeated rows, and all rows of a name that has different labels.

    Args:
        table: rows; it is changed in place.

    Returns:
        The same table.
    """
    by_name: dict[str, list[Record]] = {}
    for record in table.records:
        by_name.setdefault(record.name, []).append(record)
    records = []
    for name, same in by_name.items():
        if len({record.text for record in same}) == 1:
            records.append(same[0])
            table.repeated_rows += len(same) - 1
            continue
        labels = ", ".join(f"{short(record.text)} ({record.location})" for record in same[:_SHOWN_LABELS])
        detail = f"{name} has different labels: {labels}{', …' if len(same) > _SHOWN_LABELS else ''}"
        table.problems.extend(Problem(record.location, "name twice", name, detail) for record in same)
    table.records = records
    return table
