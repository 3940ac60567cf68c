"""From a competition's zips and labels to what training reads: pictures, label files, a charset and a report.

Nothing is repaired on the way. A row or picture that cannot be used is named in the report with its place and left out
of the training and validation files; every test picture stays in `test.txt`, since a submission needs a row for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.prepare import statistics
from scenetext.prepare.image_check import ImageFacts, check_and_copy
from scenetext.prepare.raw_files import ImageSet, RawFiles, describe_file, find_raw_files
from scenetext.system.archives import check_room
from scenetext.system.files import replacing_folder, write_json, write_text
from scenetext.text.charset import Charset, named_characters
from scenetext.text.label_files import LabelTable, Problem, read_label_table, split, without_repeats, write_label_file
from scenetext.text.normalise import check_choices, normalise
from scenetext.text.records import Record

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
    `test.txt` with lines `test/NAME` (all relative to `images`); `charset.txt`; `report.json`, last.

    The normalisation choices rewrite the training labels and so the charset. `val.txt` keeps the labels as they were
    given, because that is what scores are measured against.

    Args:
        raw: the folder with zips or folders of pictures and the labels, `train_label.csv` or `train.txt`; where a
            `val.txt` lies beside it, its split is kept and `val` is not used.
        out: the folder to write.
        val: the validation part as a share (below 1) or a number of lines; see `labels.split`.
        seed: of the split.
        width: see `normalise.normalise`, as for `case`, `spaces` and `traditional`.
        extra_characters: names or files of characters that the charset gets beside those of the training labels; see
            `charset.named_characters`.
        progress: show progress bars.

    Returns:
        The report, as it stands in `report.json`.

    Raises:
        InputError: files are missing, broken or unsafe, no row can be used, or a setting does not exist.
        RunError: the disk has no room.
    """
    raw, out = Path(raw), Path(out)
    choices = {"width": width, "case": case, "spaces": spaces, "traditional": traditional}
    check_choices(**choices)
    names = [extra_characters] if isinstance(extra_characters, str | Path) else list(extra_characters)
    extra = [character for name in names for character in named_characters(name)]
    files = find_raw_files(raw, out)
    _check_out(raw, out, files)
    settings = {"val": val, "seed": seed, **choices, "extra_characters": [Path(name).name for name in names]}
    with ExitStack() as stack:
        train_images = stack.enter_context(ImageSet(files.train_images))
        test_images = stack.enter_context(ImageSet(files.test_images)) if files.test_images else None
        tables = [read_label_table(path) for path in (files.train_labels, files.val_labels) if path]
        needed_bytes = train_images.size_bytes + (test_images.size_bytes if test_images else 0)
        check_room(out, needed_bytes, f"The copy of the pictures in {raw}")
        folder = stack.enter_context(replacing_folder(out / "images"))
        facts = check_and_copy(train_images, folder / "train", progress)
        test_facts = check_and_copy(test_images, folder / "test", progress) if test_images else {}
        tables = [_matched(table, train_images, facts) for table in tables]
        records = [record for table in tables for record in table.records]
        if not records:
            problems = [problem for table in tables for problem in table.problems]
            first = f"; the first: {problems[0].place}: {problems[0].detail}" if problems else ""
            raise InputError(f"No row of {files.train_labels} can be used{first}.")
        hashes = {name: fact.sha256 for name, fact in facts.items()}
        if files.val_labels:
            train, validation = tables[0].records, tables[1].records
        else:
            train, validation = split(records, val, seed, hashes)
        train = [replace(record, text=normalise(record.text, **choices)) for record in train]
        charset = Charset.from_labels((record.text for record in train), extra)
        found = _Found(files, train_images, test_images, tables, facts, test_facts, train, validation, charset)
        report = {"settings": settings, **found.report()}
        (out / "report.json").unlink(missing_ok=True)  # a report stands only beside the pictures that it describes
    for name, part in (("train", train), ("val", validation)):
        write_label_file(out / f"{name}.txt", (replace(record, name=f"train/{record.name}") for record in part))
    write_text(out / "test.txt", "".join(f"test/{name}\n" for name in test_facts))
    charset.write(out / "charset.txt")
    write_json(out / "report.json", report)
    return report


def summary(report: dict[str, Any]) -> str:
    """The report in a few lines for a terminal."""
    counts, missing = report["counts"], report["coverage"]["val_by_charset"]
    encodings = ", ".join(f"{name} is {encoding}" for name, encoding in report["encodings"].items())
    lines = [
        f"{counts['train']} training, {counts['val']} validation and {counts['test']} test lines; {encodings}.",
        f"charset.txt: {counts['charset']} characters; it spells {missing['lines_covered']} of {missing['lines']} "
        f"validation labels.",
    ]
    if report["problems"]:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in report["problem_counts"].items())
        lines.append(f"Left out or unreadable: {kinds}; all are listed in report.json, the first of them:")
        lines += [f"  {problem['place']}: {problem['detail']}" for problem in report["problems"][:_SUMMARY_PROBLEMS]]
    unlabelled = report["images_without_label"]["count"]
    if unlabelled:
        lines.append(f"{unlabelled} training pictures have no label.")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that the report is made from."""

    files: RawFiles
    train_images: ImageSet
    test_images: ImageSet | None
    tables: list[LabelTable]
    facts: dict[str, ImageFacts]
    test_facts: dict[str, ImageFacts]
    train: list[Record]
    validation: list[Record]
    charset: Charset

    def report(self) -> dict[str, Any]:
        """The report without the settings."""
        records = [record for table in self.tables for record in table.records]
        texts = [record.text for record in records]
        problems = self._problems()
        kinds = sorted({problem.kind for problem in problems})
        label_files = [path for path in (self.files.train_labels, self.files.val_labels) if path]
        return {
            "inputs": self._inputs(label_files),
            "encodings": {path.name: table.encoding for path, table in zip(label_files, self.tables, strict=True)},
            "counts": {
                "train": len(self.train),
                "val": len(self.validation),
                "test": len(self.test_facts),
                "charset": len(self.charset.characters),
                "train_images": len(self.facts),
                "rows_repeated": sum(table.repeated_rows for table in self.tables),
                "files_ignored": self.train_images.ignored + (self.test_images.ignored if self.test_images else 0),
                "labels_with_space": sum(" " in text for text in texts),
                "labels_with_ideographic_space": sum("\u3000" in text for text in texts),
            },
            "problem_counts": {kind: sum(problem.kind == kind for problem in problems) for kind in kinds},
            "problems": [asdict(problem) for problem in problems],
            "images_without_label": statistics.listed(self._unlabelled()),
            "duplicates": statistics.duplicates(self.facts, records),
            "split": self._split(),
            "geometry": {
                "train": statistics.geometry(self.facts.values()),
                "test": statistics.geometry(self.test_facts.values()),
            },
            "label_lengths": statistics.lengths(texts),
            "characters": statistics.characters(texts),
            "normalisation": statistics.normalisation_table(texts),
            "coverage": {
                "val_by_charset": statistics.coverage(self.charset, [record.text for record in self.validation]),
                "all_by_official_dictionaries": statistics.bundled_coverage(texts),
            },
        }

    def _inputs(self, label_files: list[Path]) -> list[dict[str, str | int]]:
        inputs = [describe_file(path) for path in label_files]
        for images, facts in ((self.train_images, self.facts), (self.test_images, self.test_facts)):
            if images is not None:
                inputs.append(images.describe({name: fact.sha256 for name, fact in facts.items()}))
        return inputs

    def _problems(self) -> list[Problem]:
        """The rows left out, then the unreadable pictures that no row has named already."""
        problems = [problem for table in self.tables for problem in table.problems]
        named = {problem.name for problem in problems if problem.kind == "unreadable image"}
        for images, facts in ((self.train_images, self.facts), (self.test_images, self.test_facts)):
            for fact in facts.values():
                if fact.fault and not (images is self.train_images and fact.name in named):
                    problems.append(Problem(images.place(fact.name), "unreadable image", fact.name, fact.fault))
        return problems

    def _unlabelled(self) -> list[str]:
        """Training pictures that no row names, a row left out included."""
        named = {record.name for table in self.tables for record in table.records}
        named |= {self.train_images.find(problem.name) for table in self.tables for problem in table.problems}
        return [name for name in self.train_images.names if name not in named]

    def _split(self) -> dict[str, Any]:
        train_texts = {record.text for record in self.train}
        train_names = {record.name for record in self.train}
        train_hashes = {self.facts[record.name].sha256 for record in self.train}
        return {
            "given": self.files.val_labels is not None,
            "val_lines_whose_text_is_in_train": sum(record.text in train_texts for record in self.validation),
            "val_lines_whose_image_is_in_train": sum(
                record.name in train_names or self.facts[record.name].sha256 in train_hashes
                for record in self.validation
            ),
            "train_lengths": statistics.percentiles([len(record.text) for record in self.train]),
            "val_lengths": statistics.percentiles([len(record.text) for record in self.validation]),
        }


def _matched(table: LabelTable, images: ImageSet, facts: dict[str, ImageFacts]) -> LabelTable:
    """Keeps the rows whose picture is there and readable, under the picture's own name."""
    matched = LabelTable([], table.encoding, list(table.problems), table.repeated_rows)
    for record in table.records:
        name = images.find(record.name)
        if name is None:
            detail = f"{images.path.name} holds no picture {record.name!r}"
            matched.problems.append(Problem(record.place, "label without image", record.name, detail))
        elif facts[name].fault is not None:
            matched.problems.append(Problem(record.place, "unreadable image", name, facts[name].fault))
        else:
            matched.records.append(replace(record, name=name))
    return without_repeats(matched)


def _check_out(raw: Path, out: Path, files: RawFiles) -> None:
    """Raises InputError where writing to `out` would touch raw files or somebody else's pictures."""
    images = out / "images"
    in_raw = any(
        path and out.resolve().is_relative_to(path.resolve()) for path in (files.train_images, files.test_images)
    )
    if in_raw or out.resolve() == raw.resolve() or raw.resolve().is_relative_to(images.resolve()):
        raise InputError(f"{out} is where the raw files lie; name another folder, since raw files are never changed.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder.")
    if images.exists() and not (images.is_dir() and set(os.listdir(images)) <= {"train", "test"}):
        raise InputError(f"{images} was not written by prepare; name another folder or move it away.")
