"""What `prepare` has found and made, and the report on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenetext.prepare import statistics
from scenetext.prepare.image_check import ImageFacts
from scenetext.prepare.raw_files import RawFiles, describe_file
from scenetext.prepare.raw_pictures import RawPictures
from scenetext.system.file_names import is_escaped
from scenetext.text.charset import Charset
from scenetext.text.label_files import LabelTable, Problem
from scenetext.text.records import Record


@dataclass(frozen=True, slots=True)
class Competition:
    """The raw files, opened.

    Attributes:
        files: where they lie.
        train_images, test_images: the pictures; there may be none for the test.
        tables: the labels as read, of `files.train_labels` and, if it is there, `files.val_labels`.
        shared_folders: the folders with which all labels begin.
    """

    files: RawFiles
    train_images: RawPictures
    test_images: RawPictures | None
    tables: list[LabelTable]
    shared_folders: tuple[str, ...]

    def find(self, name: str) -> str | None:
        """The training picture that a label means; None where it means none."""
        return self.train_images.find(name, self.shared_folders)


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Everything that is written and that the report is made from.

    Attributes:
        competition: the raw files.
        tables: the rows whose pictures are there and readable, and the problems of the others.
        facts, test_facts: what is known of each picture, by name.
        train, validation: the records of the two parts, the training labels normalised.
        charset: the characters of the training labels, and the extra ones.
    """

    competition: Competition
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
        label_files = [
            path for path in (self.competition.files.train_labels, self.competition.files.val_labels) if path
        ]
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
                "files_ignored": sum(images.passed_over.total for images, _ in self._image_sets()),
                "labels_with_space": sum(" " in text for text in texts),
                "labels_with_ideographic_space": sum("\u3000" in text for text in texts),
            },
            "passed_over": {
                images.path.name: images.passed_over.entries() for images, _ in self._image_sets() if images.passed_over
            },
            "problem_counts": {kind: sum(problem.kind == kind for problem in problems) for kind in kinds},
            "problems": [asdict(problem) for problem in problems],
            "images_without_label": statistics.listed(self._unlabelled()),
            "duplicates": statistics.duplicates(self.facts, records),
            "split": self._split(),
            "names_written_otherwise": statistics.listed(self._escaped_names()),
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
        for images, facts in self._image_sets():
            inputs.append(images.describe({name: fact.sha256 for name, fact in facts.items()}))
        return inputs

    def _image_sets(self) -> list[tuple[RawPictures, dict[str, ImageFacts]]]:
        """The training pictures and, where there are any, the test pictures, each with their facts."""
        sets = [(self.competition.train_images, self.facts)]
        return sets + ([(self.competition.test_images, self.test_facts)] if self.competition.test_images else [])

    def _problems(self) -> list[Problem]:
        """The rows left out, then the unreadable pictures that no row has named already."""
        problems = [problem for table in self.tables for problem in table.problems]
        named = {problem.name for problem in problems if problem.kind == "unreadable image"}
        for images, facts in self._image_sets():
            for fact in facts.values():
                if fact.fault and not (images is self.competition.train_images and fact.name in named):
                    problems.append(Problem(images.location(fact.name), "unreadable image", fact.name, fact.fault))
        return problems

    def _escaped_names(self) -> list[str]:
        """Names with characters that a label file cannot hold, such as a tab, as `system.file_names` writes them."""
        sets = (images for images, _ in self._image_sets())
        return [name for images in sets for name in images.names if is_escaped(name)]

    def _unlabelled(self) -> list[str]:
        """Training pictures that no row names, a row left out included."""
        named = {record.name for table in self.tables for record in table.records}
        problems = (problem for table in self.tables for problem in table.problems)
        named |= {self.competition.find(problem.name) for problem in problems}
        return [name for name in self.competition.train_images.names if name not in named]

    def _split(self) -> dict[str, Any]:
        train_texts = {record.text for record in self.train}
        train_names = {record.name for record in self.train}
        train_hashes = {self.facts[record.name].sha256 for record in self.train}
        return {
            "given": self.competition.files.val_labels is not None,
            "val_lines_whose_text_is_in_train": sum(record.text in train_texts for record in self.validation),
            "val_lines_whose_image_is_in_train": sum(
                record.name in train_names or self.facts[record.name].sha256 in train_hashes
                for record in self.validation
            ),
            "train_lengths": statistics.percentiles([len(record.text) for record in self.train]),
            "val_lengths": statistics.percentiles([len(record.text) for record in self.validation]),
        }
