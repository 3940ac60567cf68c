"""Scores a reader against the original labels; no line is filtered, repaired or left out.

A picture that cannot be read counts as an empty prediction and is named. A label with characters that the network
does not know counts unchanged, and the number of such labels is reported beside the scores.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.evaluate.breakdown import LENGTH_GROUPS, WIDTH_GROUPS_PX, Confusion, Group, confusions, group_scores
from scenetext.evaluate.metrics import Scores, line_scores, score
from scenetext.predict.images import (
    FunctionReader,
    LineFunction,
    Prediction,
    Reader,
    read_records,
    warn_of_passed_over,
)
from scenetext.predict.trained_model import load_reader
from scenetext.system.file_names import shown_path
from scenetext.system.files import write_json, write_text
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.config import Config

SCORES, PREDICTIONS = "scores.json", "predictions.csv"
_CONFUSIONS_WRITTEN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its label, what was read, and its picture's size (0 by 0 when it cannot be read)."""

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
    """What was read, and its scores.

    Attributes:
        scores: of all lines.
        lines: one entry for each record, in their order.
        by_length: scores by the label's length in characters.
        by_width: scores by the picture's width in pixels; unreadable pictures are in no group.
        confusions: wrong characters, the most frequent first.
        unreadable: why a picture could not be read, by name.
        unknown_characters: characters of the labels that the network has no class for, each with its number of labels.
        lines_with_unknown: labels with such a character, which cannot be read right; None when the charset is unknown.
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
        parts = [
            f"raw {scores.raw}, normalised {scores.normalised}, 1-NED {scores.one_minus_ned} of {scores.lines} lines"
        ]
        if scores.empty:
            parts.append(f"{scores.empty} were read as empty")
        if self.lines_with_unknown:
            parts.append(f"{self.lines_with_unknown} labels hold characters that the network has no class for")
        if self.unreadable:
            parts.append(f"{len(self.unreadable)} pictures could not be read")
        return "; ".join(parts)

    def worst(self, count: int) -> list[Line]:
        """The wrong lines, least similar to their labels first, and of equal ones the most confident first."""
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
    read: Reader | LineFunction,
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
        read: a `ModelReader` or `Recognizer`, or any function that reads a list of pictures.
        records: the original labels.
        images: a folder, zip or LMDB with the records' pictures, opened or as a path.
        out: the folder for `scores.json` and `predictions.csv` (one row a line); None writes nothing.
        charset: the network's characters, to count labels with others.
        seed: of the bootstrap.
        progress: show a progress bar.

    Raises:
        InputError: there are no records, or not one of their pictures can be read.
    """
    source = open_images(images) if isinstance(images, (str, Path)) else images
    reader = read if hasattr(read, "read_pieces") else FunctionReader(read)
    predictions = list(read_records(reader, records, source, progress))
    unreadable = {prediction.name: prediction.problem for prediction in predictions if prediction.problem is not None}
    if all(prediction.problem is not None for prediction in predictions):
        first = next(iter(unreadable.values()), "there are no labels")
        raise InputError(f"Not one of {len(records)} pictures can be read; the first: {first}")
    evaluation = _scored(records, predictions, unreadable, charset, seed)
    if out is not None:
        _write(evaluation, Path(out))
    return evaluation


def _scored(
    records: Sequence[Record],
    predictions: Sequence[Prediction],
    unreadable: dict[str, str],
    charset: Charset | None,
    seed: int,
) -> Evaluation:
    """All scores of what was read."""
    texts, targets = [prediction.text for prediction in predictions], [record.text for record in records]
    lines = [
        Line(record.name, record.text, p.text, p.confidence, bool(row[0]), bool(row[1]), p.width_px, p.height_px)
        for record, p, row in zip(records, predictions, line_scores(texts, targets), strict=True)
    ]
    seen = [line for line in lines if line.name not in unreadable]
    unknown = [set(charset.unknown(text)) for text in targets] if charset else []
    counts = Counter(character for characters in unknown for character in characters)
    return Evaluation(
        score(texts, targets, seed),
        lines,
        group_scores(texts, targets, [len(text) for text in targets], LENGTH_GROUPS, seed),
        group_scores(
            [line.prediction for line in seen],
            [line.target for line in seen],
            [line.width_px for line in seen],
            WIDTH_GROUPS_PX,
            seed,
        ),
        confusions(texts, targets),
        unreadable,
        dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        sum(map(bool, unknown)) if charset else None,
    )


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

    Faulty rows of the label file (an empty label, two labels for one name) cannot be scored; they are named on stderr.
    So are files that were passed over.
    """
    if Path(out).exists() and not Path(out).is_dir():
        raise InputError(f"{shown_path(out)} is a file; give the name of a folder to write.")
    table = read_label_table(labels)
    for problem in table.problems:
        print(f"{problem.location} is not scored: {problem.detail}", file=sys.stderr)
    if not table.records:
        raise InputError(
            f"{shown_path(labels)} holds no label that can be scored: give lines of a name, a tab and a text."
        )
    source = open_images(images)
    source.names()  # counts what is passed over
    warn_of_passed_over(source)
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
