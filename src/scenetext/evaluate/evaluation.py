"""Scores a reader against the original labels; no line is filtered, repaired or left out.

A picture that cannot be read counts as an empty prediction and is named. A label with characters that the network
does not know counts as it stands, and how many such labels there are is said beside the scores.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.evaluate.breakdown import LENGTH_GROUPS, WIDTH_GROUPS_PX, Confusion, Group, confusions, group_scores
from scenetext.evaluate.metrics import Scores, line_scores, score
from scenetext.predict.trained_model import load_reader
from scenetext.system.files import write_json, write_text
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.config import Config

Reader = Callable[[Sequence[np.ndarray]], Sequence[tuple[str, float]]]
"""A list of (H, W, 3) uint8 BGR pictures to (text, confidence) each: `ModelReader` or `Recognizer`."""

SCORES, PREDICTIONS = "scores.json", "predictions.csv"
_READ_AT_ONCE = 512  # pictures in memory at a time
_CONFUSIONS_WRITTEN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it says, what was read, and how large its picture is (0 by 0 when it cannot be read)."""

    name: str
    target: str
    prediction: str
    confidence: float
    correct_raw: bool
    correct_normalised: bool
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was read and how good it is.

    Attributes:
        scores: of all lines.
        lines: one entry a record, in the records' order.
        by_length: scores by the label's length in characters.
        by_width: scores by the picture's width in pixels; unreadable pictures are in no group.
        confusions: wrong characters, the most frequent first.
        unreadable: why a picture could not be read, by name.
        unknown_characters: characters of the labels that the network has no class for, and in how many labels each
            stands.
        lines_with_unknown: labels that hold one of them and so cannot be read right; None when the charset is unknown.
    """

    scores: Scores
    lines: list[Line]
    by_length: list[Group]
    by_width: list[Group]
    confusions: list[Confusion]
    unreadable: dict[str, str]
    unknown_characters: dict[str, int]
    lines_with_unknown: int | None

    def __str__(self) -> str:
        scores = self.scores
        told = [
            f"raw {scores.raw}, normalised {scores.normalised}, 1-NED {scores.one_minus_ned} of {scores.lines} lines"
        ]
        if scores.empty:
            told.append(f"{scores.empty} were read as empty")
        if self.lines_with_unknown:
            told.append(f"{self.lines_with_unknown} labels hold characters that the network has no class for")
        if self.unreadable:
            told.append(f"{len(self.unreadable)} pictures could not be read")
        return "; ".join(told)

    def worst(self, count: int) -> list[Line]:
        """The wrong lines, those with least in common with their label and most confidently read first."""
        wrong = [line for line in self.lines if not line.correct_normalised]
        similarity = line_scores([line.prediction for line in wrong], [line.target for line in wrong])[:, 2]
        order = sorted(range(len(wrong)), key=lambda i: (similarity[i], -wrong[i].confidence))
        return [wrong[i] for i in order[:count]]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single lines, for JSON."""
        return {
            **self.scores.as_dict(),
            "lines_with_unknown_characters": self.lines_with_unknown,
            "unknown_characters": self.unknown_characters,
            "unreadable": self.unreadable,
            "by_length": [asdict(group) for group in self.by_length],
            "by_width": [asdict(group) for group in self.by_width],
            "confusions": [asdict(confusion) for confusion in self.confusions[:_CONFUSIONS_WRITTEN]],
        }


def evaluate(
    read: Reader,
    records: Sequence[Record],
    images: ImageSource | str | Path,
    out: str | Path | None = None,
    *,
    charset: Charset | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Evaluation:
    """Reads the pictures of `records` and scores what was read.

    Args:
        read: the reader.
        records: the original labels.
        images: where the records' names are found: a folder, zip or LMDB, opened or as a path.
        out: the folder for `scores.json` and `predictions.csv` (one row a line); None writes nothing.
        charset: the network's characters, to count labels that it cannot spell.
        seed: of the bootstrap.
        progress: show a progress bar.

    Raises:
        InputError: there are no records, or not one of their pictures can be read.
    """
    images = open_images(images) if isinstance(images, (str, Path)) else images
    read_lines, unreadable = _read_all(read, records, images, progress)
    if len(unreadable) == len(records):
        first = next(iter(unreadable.values()), "there are no labels")
        raise InputError(f"Not one of {len(records)} pictures can be read; the first: {first}")
    predictions = [text for text, _, _ in read_lines]
    targets = [record.text for record in records]
    table = line_scores(predictions, targets)
    lines = [
        Line(record.name, record.text, text, confidence, bool(row[0]), bool(row[1]), shape[1], shape[0])
        for record, (text, confidence, shape), row in zip(records, read_lines, table, strict=True)
    ]
    unknown = [set(charset.unknown(text)) for text in targets] if charset else []
    counts = Counter(character for characters in unknown for character in characters)
    seen = [line for line in lines if line.name not in unreadable]
    evaluation = Evaluation(
        score(predictions, targets, seed),
        lines,
        group_scores(predictions, targets, [len(text) for text in targets], LENGTH_GROUPS, seed),
        group_scores(
            [line.prediction for line in seen],
            [line.target for line in seen],
            [line.width_px for line in seen],
            WIDTH_GROUPS_PX,
            seed,
        ),
        confusions(predictions, targets),
        unreadable,
        dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        sum(map(bool, unknown)) if charset else None,
    )
    if out is not None:
        _write(evaluation, Path(out))
    return evaluation


def evaluate_command(
    *,
    config: Config | None,
    weights: str | None,
    model: str | None,
    labels: str,
    images: str,
    out: str,
) -> Evaluation:
    """`scenetext evaluate`: trained weights with their config, or an exported folder, against a label file.

    Rows of the label file that are no label (an empty one, two labels for one name) cannot be scored; they are named
    on stderr.
    """
    table = read_label_table(labels)
    for problem in table.problems:
        print(f"{problem.place} is not scored: {problem.detail}", file=sys.stderr)
    source = open_images(images)
    if model is not None:
        from scenetext.predict.recognizer import Recognizer

        reader = Recognizer(model)
        charset = reader.charset
    else:
        reader = load_reader(config, weights)
        charset = reader.model.charset
    evaluation = evaluate(reader, table.records, source, out, charset=charset)
    for reason in evaluation.unreadable.values():
        print(f"counted as empty: {reason}", file=sys.stderr)
    print(f"{evaluation}\n{Path(out)}: {SCORES} and {PREDICTIONS}")
    return evaluation


def _read_all(
    read: Reader, records: Sequence[Record], images: ImageSource, progress: bool
) -> tuple[list[tuple[str, float, tuple[int, ...]]], dict[str, str]]:
    """Text, confidence and picture shape of every record, and why pictures could not be read."""
    results: list[tuple[str, float, tuple[int, ...]]] = []
    unreadable: dict[str, str] = {}
    with tqdm(total=len(records), unit="line", desc="evaluate", disable=not progress) as bar:
        for start in range(0, len(records), _READ_AT_ONCE):
            part = records[start : start + _READ_AT_ONCE]
            pictures: dict[int, np.ndarray] = {}
            for index, record in enumerate(part):
                try:
                    pictures[index] = decode_image(images.read(record.name), images.place(record.name))
                except InputError as error:
                    unreadable[record.name] = f"{error} (its label: {record.place})"
            texts = dict(zip(pictures, read(list(pictures.values())) if pictures else (), strict=True))
            for index in range(len(part)):
                text, confidence = texts.get(index, ("", 0.0))
                results.append((text, confidence, pictures[index].shape if index in pictures else (0, 0)))
            bar.update(len(part))
    return results, unreadable


def _write(evaluation: Evaluation, out: Path) -> None:
    write_text(out / PREDICTIONS, _csv(evaluation.lines))
    write_json(out / SCORES, evaluation.as_dict())


def _csv(lines: Iterable[Line]) -> str:
    """One row a line; truth values as 0 and 1."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Line)]
    writer.writerow(names)
    for line in lines:
        values = [getattr(line, name) for name in names]
        writer.writerow([f"{v:.6f}" if isinstance(v, float) else int(v) if isinstance(v, bool) else v for v in values])
    return text.getvalue()
