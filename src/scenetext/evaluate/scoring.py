"""Scores a file of predictions against a label file: no network, no pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.errors import InputError
from scenetext.evaluate.choices import PRECISIONS
from scenetext.evaluate.evaluation_folder import PREDICTIONS, SCORES, check_folder_name, write_evaluation
from scenetext.evaluate.matching import Unmatched, left_out, matched
from scenetext.evaluate.paddleocr_metric import MAX_TEXT_LENGTH
from scenetext.evaluate.prediction_files import read_predictions
from scenetext.evaluate.protocols import chosen_rules, protocol
from scenetext.evaluate.results import Evaluation, score_lines
from scenetext.evaluate.table import table_of
from scenetext.system.file_names import shown_path
from scenetext.text.charset import Charset, charset_path
from scenetext.text.label_files import LabelTable, Problem, read_label_table
from scenetext.text.normalise import DEFAULT_SCORE_RULES
from scenetext.text.records import RecordTable


def score_files(
    predictions: str | Path,
    labels: str | Path,
    *,
    rules: Sequence[str] = DEFAULT_SCORE_RULES,
    protocols: Sequence[str] = (),
    charset: str | Path | None = None,
    training_labels: str | Path | None = None,
    precisions: Sequence[float] = PRECISIONS,
    max_text_length: int = MAX_TEXT_LENGTH,
    unmatched: Unmatched = "refuse",
    seed: int = 0,
) -> Evaluation:
    """Scores predictions as `evaluate` scores what it reads.

    Faulty rows of the label file (an empty label, two labels for one name) cannot be scored; they are named on stderr.

    Args:
        predictions: the file; see `read_predictions`.
        labels: a label file of any form.
        rules: names of SCORE_RULES that the normalised score forgives.
        protocols: names of protocols to score by, too.
        charset: the network's dictionary: a file, or the name of a bundled one. The space counts as known.
        training_labels: the label file of the training set, by which rare characters are told from frequent ones.
        precisions: what thresholds of the confidence are found for, in (0, 1].
        max_text_length: PaddleOCR's Global.max_text_length, for its figures.
        unmatched: what becomes of lines that one of both files lacks; see `matching`.
        seed: of the bootstrap.

    Raises:
        InputError: a file cannot be read, the files are of other lines, or a rule or protocol does not exist.
    """
    chosen_rules(rules)
    named = [protocol(name) for name in protocols]  # before the files are read
    known = None if charset is None else Charset.from_file(charset_path(charset), use_space_char=True)
    table = read_labels(labels)
    read = read_predictions(predictions)
    read = read.without({problem.name for problem in table.problems} - {record.name for record in table.records})
    lines = matched(table.records, read, unmatched, shown_path(labels))
    missing, extra = left_out(table.records, read)
    if missing or extra:
        became = "count as read empty" if unmatched == "as-empty" else "are left out"
        told = f"{missing:,} labels without a prediction {became}, {extra:,} predictions without a label are left out"
        print(told, file=sys.stderr)
    return score_lines(
        lines,
        known,
        rules=rules,
        protocols=named,
        training_labels=None if training_labels is None else [r.text for r in read_labels(training_labels).records],
        precisions=precisions,
        max_text_length=max_text_length,
        seed=seed,
    )


def read_labels(path: str | Path) -> LabelTable:
    """Reads labels to score against; faulty rows are named on stderr.

    Args:
        path: a label file, an LMDB, or a folder of LMDBs.

    Raises:
        InputError: it cannot be read, or holds no label that can be scored.
    """
    table = _lmdb_labels(Path(path)) if Path(path).is_dir() else read_label_table(path)
    for problem in table.problems:
        print(f"{problem.location} is not scored: {problem.detail}", file=sys.stderr)
    if not table.records:
        raise InputError(
            f"{shown_path(path)} holds no label that can be scored: give lines of a name, a tab and a text."
        )
    return table


def _lmdb_labels(folder: Path) -> LabelTable:
    """The labels of LMDBs, by the names that `predict` and `benchmark` write."""
    records = RecordTable.joined([part.table() for part in Lmdbs(folder).parts])
    kept = [record for record in records if record.text]
    empty = [Problem(r.location, "empty label", r.name, "the label is empty") for r in records if not r.text]
    return LabelTable(kept, "utf-8", empty)


def score_command(predictions: str, labels: str, out: str | None, **options: object) -> Evaluation:
    """`scenetext score`: prints the table, and writes the evaluation's folder if `out` is given."""
    if out is not None:
        check_folder_name(out)
    evaluation = score_files(predictions, labels, **options)
    if out is not None:  # first, because whoever reads the table may stop reading
        write_evaluation(evaluation, out)
    print(table_of(evaluation))
    if out is not None:
        print(f"\n{Path(out)}: {SCORES} and {PREDICTIONS}")
    return evaluation
