"""From a competition's zips and labels to a data set: pictures, label files, a charset and a report.

The folder is made beside the one that it replaces and takes its place in one step, so that pictures and labels always
belong together. Nothing is repaired. A row or picture that cannot be used is named in the report with its location and
left out of the training and validation files; every test picture stays in `test.txt`, since a submission needs a row
for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenetext.data.sources.picture_files import passed_over_sentence
from scenetext.errors import InputError
from scenetext.prepare.image_check import ImageFacts, check_and_copy
from scenetext.prepare.prepared_folder import check_prepared_folder, replacing_prepared_folder
from scenetext.prepare.raw_files import find_raw_files
from scenetext.prepare.raw_pictures import RawPictures, shared_label_folders
from scenetext.prepare.report import Competition, PreparedData
from scenetext.system.archives import check_room
from scenetext.system.file_names import shown_path
from scenetext.system.files import json_text
from scenetext.text.charset import Charset, named_characters
from scenetext.text.label_files import LabelTable, Problem, label_lines, read_label_table, without_repeats
from scenetext.text.normalise import check_choices, normalise
from scenetext.text.splits import split

_SUMMARY_PROBLEMS = 5


def prepare(
    raw: str | Path,
    out: str | Path,
    *,
    val: float | int = 0.1,
    seed: int = 0,
    width: str = "keep",
    case: str = "keep",
    spaces: str = "keep",
    traditional: str = "keep",
    extra_characters: str | Path | Sequence[str | Path] = (),
    progress: bool = True,
) -> dict[str, Any]:
    """Prepares a data set; the same input and settings give the same bytes.

    Writes into `out`: `images/train` and `images/test`; `train.txt` and `val.txt` with lines `train/NAME<TAB>text`,
    `test.txt` with lines `test/NAME` (all relative to `images`); `charset.txt`; `report.json`. They take the place of
    an earlier data set all at once; other files in `out` stay.

    The normalisation choices rewrite the training labels and so the charset. `val.txt` keeps the original labels,
    because scores are measured against them.

    Args:
        raw: the folder with zips or folders of pictures and the labels, `train_label.csv` or `train.txt`; where a
            `val.txt` lies beside it, its split is kept and `val` is not used.
        out: the folder to write.
        val: the validation part as a ratio (below 1) or a number of lines; see `splits.split`.
        seed: of the split.
        width: see `normalise.normalise`, as for `case`, `spaces` and `traditional`.
        extra_characters: names or files of characters that the charset gets beside those of the training labels; see
            `charset.named_characters`.
        progress: show progress bars.

    Returns:
        The report, equal to `report.json`.

    Raises:
        InputError: files are missing, broken or unsafe, no row can be used, or a setting does not exist.
        RunError: the disk has no room, or another process prepares into `out` now.
    """
    raw, out = Path(raw), Path(out)
    choices = {"width": width, "case": case, "spaces": spaces, "traditional": traditional}
    check_choices(**choices)
    names = [extra_characters] if isinstance(extra_characters, str | Path) else list(extra_characters)
    extra = [character for name in names for character in named_characters(name)]
    settings = {"val": val, "seed": seed, **choices, "extra_characters": [Path(name).name for name in names]}
    competition = _open(raw, out)
    with replacing_prepared_folder(out) as folder:
        data = _prepared(competition, folder / "images", choices, extra, val, seed, progress)
        report = {"settings": settings, **data.report()}
        _write(data, report, folder)
    return report


def summary(report: dict[str, Any]) -> str:
    """The report in a few lines for a terminal."""
    counts, missing = report["counts"], report["coverage"]["val_by_charset"]
    encodings = ", ".join(f"{name} is {encoding}" for name, encoding in report["encodings"].items())
    lines = [
        f"{counts['train']} training, {counts['val']} validation and {counts['test']} test lines; {encodings}.",
        f"charset.txt: {counts['charset']} characters, which cover {missing['lines_covered']} of "
        f"{missing['lines']} validation labels.",
    ]
    if report["problems"]:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in report["problem_counts"].items())
        lines.append(f"Left out or unreadable: {kinds}; all are listed in report.json, the first of them:")
        lines += [f"  {problem['location']}: {problem['detail']}" for problem in report["problems"][:_SUMMARY_PROBLEMS]]
    lines += [f"{name}: {passed_over_sentence(entries)}." for name, entries in report["passed_over"].items()]
    escaped = report["names_written_otherwise"]
    if escaped["count"]:
        lines.append(
            f"The names of {escaped['count']} pictures hold characters that label files cannot hold; they are written "
            f"as \\xNN, such as {escaped['first'][0]}."
        )
    vertical = [report["geometry"][part]["vertical"] for part in ("train", "test")]
    if any(vertical):
        lines.append(
            f"{vertical[0]} training and {vertical[1]} test pictures are at least 1.5 times as high as wide; networks "
            "for horizontal lines read such pictures badly."
        )
    unlabelled = report["images_without_label"]["count"]
    if unlabelled:
        lines.append(f"{unlabelled} training pictures have no label.")
    return "\n".join(lines)


def _open(raw: Path, out: Path) -> Competition:
    """Opens the raw files, after checking that they exist and that nobody else's files would be overwritten."""
    files = find_raw_files(raw, out)
    check_prepared_folder(out, raw, [path for path in (files.train_images, files.test_images) if path])
    train_images = RawPictures(files.train_images)
    test_images = RawPictures(files.test_images) if files.test_images else None
    tables = [read_label_table(path) for path in (files.train_labels, files.val_labels) if path]
    needed_bytes = train_images.size_bytes + (test_images.size_bytes if test_images else 0)
    check_room(out, needed_bytes, f"The copy of the pictures in {shown_path(raw)}")
    shared = shared_label_folders(record.name for table in tables for record in table.records)
    return Competition(files, train_images, test_images, tables, shared)


def _prepared(
    competition: Competition,
    folder: Path,
    choices: Mapping[str, str],
    extra: Sequence[str],
    val: float | int,
    seed: int,
    progress: bool,
) -> PreparedData:
    """Copies the pictures into `folder`, matches the rows to them, and splits and normalises the labels."""
    files, test_images = competition.files, competition.test_images
    facts = check_and_copy(competition.train_images, folder / "train", progress)
    test_facts = check_and_copy(test_images, folder / "test", progress) if test_images else {}
    tables = [_matched(table, competition, facts) for table in competition.tables]
    records = [record for table in tables for record in table.records]
    if not records:
        problems = [problem for table in tables for problem in table.problems]
        first = f"; the first: {problems[0].location}: {problems[0].detail}" if problems else ""
        raise InputError(f"No row of {shown_path(files.train_labels)} can be used{first}.")
    if files.val_labels:
        train, validation = tables[0].records, tables[1].records
    else:
        train, validation = split(records, val, seed, {name: fact.sha256 for name, fact in facts.items()})
    train = [replace(record, text=normalise(record.text, **choices)) for record in train]
    charset = Charset.from_labels((record.text for record in train), extra)
    return PreparedData(competition, tables, facts, test_facts, train, validation, charset)


def _matched(table: LabelTable, competition: Competition, facts: Mapping[str, ImageFacts]) -> LabelTable:
    """Keeps the rows whose picture is there and readable, under the picture's own name."""
    matched = LabelTable([], table.encoding, list(table.problems), table.repeated_rows)
    for record in table.records:
        name = competition.find(record.name)
        if name is None:
            detail = competition.train_images.missing(record.name)
            matched.problems.append(Problem(record.location, "label without image", record.name, detail))
        elif facts[name].fault is not None:
            matched.problems.append(Problem(record.location, "unreadable image", name, facts[name].fault))
        else:
            matched.records.append(replace(record, name=name))
    return without_repeats(matched)


def _write(data: PreparedData, report: Mapping[str, Any], folder: Path) -> None:
    """Writes the label files, the dictionary and the report into a folder that nobody else knows yet."""
    parts = {"train.txt": data.train, "val.txt": data.validation}
    texts = {
        **{name: label_lines(replace(r, name=f"train/{r.name}") for r in part) for name, part in parts.items()},
        "test.txt": "".join(f"test/{name}\n" for name in data.test_facts),
        "charset.txt": data.charset.lines(),
        "report.json": json_text(report),
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8"))
