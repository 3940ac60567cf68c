"""Reads labelled pictures and scores what was read; no line is filtered, repaired or left out.

A picture that cannot be read counts as an empty prediction and is named.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.evaluate.evaluation_folder import PREDICTIONS, SCORES, check_folder_name, write_evaluation
from scenetext.evaluate.results import Evaluation, ReadLines, score_lines
from scenetext.evaluate.scoring import read_labels
from scenetext.evaluate.selection import Selection, selection_of
from scenetext.evaluate.together import evaluation_job, read_together
from scenetext.predict.images import (
    RECORDS_PER_PIECE,
    FunctionReader,
    LineFunction,
    Prediction,
    Reader,
    read_records,
    warn_of_passed_over,
)
from scenetext.predict.prediction_file import WORKERS
from scenetext.predict.trained_model import load_reader, reader_facts
from scenetext.predict.turned import checked_margin
from scenetext.system.launched import ALONE, Process
from scenetext.system.shared_job import SharedJob
from scenetext.text.charset import Charset
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.config import Config


def evaluate(
    read: Reader | LineFunction,
    records: Sequence[Record],
    images: ImageSource | str | Path,
    out: str | Path | None = None,
    *,
    charset: Charset | None = None,
    selection: Selection | None = None,
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
        selection: whether these lines chose the weights; see `selection_of`.
        seed: of the bootstrap.
        progress: show a progress bar.

    Raises:
        InputError: there are no records, or not one of their pictures can be read.
    """
    source = open_images(images) if isinstance(images, (str, Path)) else images
    reader = read if hasattr(read, "read_pieces") else FunctionReader(read)
    predictions = list(read_records(reader, records, source, progress))
    return _scored(predictions, records, out, charset=charset, selection=selection, seed=seed)


def _scored(
    predictions: Sequence[Prediction], records: Sequence[Record], out: str | Path | None, **scoring: Any
) -> Evaluation:
    """Scores what was read, and writes it; see `evaluate`."""
    unreadable = {prediction.name: prediction.problem for prediction in predictions if prediction.problem is not None}
    if all(prediction.problem is not None for prediction in predictions):
        first = next(iter(unreadable.values()), "there are no labels")
        raise InputError(f"Not one of {len(records)} pictures can be read; the first: {first}")
    read_lines = ReadLines(
        [record.name for record in records],
        [record.text for record in records],
        [prediction.text for prediction in predictions],
        [prediction.confidence for prediction in predictions],
        [prediction.width_px for prediction in predictions],
        [prediction.height_px for prediction in predictions],
        unreadable,
    )
    evaluation = score_lines(read_lines, **scoring)
    if out is not None:
        write_evaluation(evaluation, out)
    return evaluation


def evaluate_command(
    *,
    config: Config | None,
    weights: str | None,
    model: str | None,
    labels: str,
    images: str,
    out: str,
    turned: float | None = None,
    decoding: str | None = None,
    process: Process = ALONE,
) -> Evaluation | None:
    """`scenetext evaluate`: trained weights with their config, or an exported folder, against a label file.

    Faulty rows of the label file (an empty label, two labels for one name) cannot be scored; they are named on stderr.
    So are files that were passed over. `turned` is the margin of lines that are read turned, too; see `LineReader`.
    `decoding` is a folder for `load_decoding`. `process` is this one of several that read the pictures together; those
    that are not the first one return None.
    """
    checked_margin(turned)
    if decoding is not None and model is None:
        raise InputError("A tuned decoding is for an exported folder: give it by --model.")
    check_folder_name(out)
    table = read_labels(labels)
    source = open_images(images)
    source.names()  # counts what is passed over
    warn_of_passed_over(source)
    selection = None
    if model is not None:
        from scenetext.predict.decoding_settings import GREEDY, load_decoding
        from scenetext.predict.engines import spread_of_one_process
        from scenetext.predict.recognizer import Recognizer

        chosen = GREEDY if decoding is None else load_decoding(decoding)
        reader = Recognizer(model, threads=process.threads, turned=turned, **chosen.reader_options)
        reader.spread = spread_of_one_process(reader.engine)
        charset = reader.charset
        origin = {"model": {name: facts["sha256"] for name, facts in reader.files.items()}, "decoding": chosen.facts}
    else:
        reader = load_reader(config, weights, turned=turned)
        charset = reader.charset
        selection = selection_of(config, weights, table.records)
        origin = {"model": reader_facts(reader)}
    scoring = dict(charset=charset, selection=selection)
    if SharedJob.is_for(process, out):
        origin |= {"engine": type(reader.engine).__name__, WORKERS: reader.spread, "turned": turned}
        with evaluation_job(out, process, table.records, source, RECORDS_PER_PIECE, **origin) as job:
            reader.spread = job.origin[WORKERS]
            predictions = read_together(job, reader, table.records, source)
            evaluation = None if predictions is None else _scored(predictions, table.records, out, **scoring)
    else:
        evaluation = evaluate(reader, table.records, source, out, **scoring)
    if evaluation is not None:
        _tell(evaluation, out)
    return evaluation


def _tell(evaluation: Evaluation, out: str | Path) -> None:
    for reason in evaluation.unreadable.values():
        print(f"counted as empty: {reason}", file=sys.stderr)
    print(evaluation)
    if evaluation.selection is not None:
        print(f"note: {evaluation.selection}")
    print(f"{Path(out)}: {SCORES} and {PREDICTIONS}")
