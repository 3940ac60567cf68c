"""A file of predictions, one line a picture, that a stopped job leaves as `OUT.part` and the same call resumes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.predict.forms import Form
from scenetext.predict.images import (
    Prediction,
    PredictionSummary,
    find_problem,
    pictures_hash,
    piece_start,
    predict_images,
)
from scenetext.predict.line_reader import LineReader
from scenetext.system.file_names import shown_name, shown_path
from scenetext.system.resumable import ResumableLines
from scenetext.system.shared_job import SharedJob

WORKERS = "workers"  # key of the origin
LINES_PER_SHARED_PIECE = 512  # of a job that several processes share; a multiple of the lines that are read together


def write_predictions(
    lines: ResumableLines,
    reader: LineReader,
    source: ImageSource,
    names: Sequence[str],
    form: Form,
    *,
    min_confidence: float = 0.0,
    progress: bool = True,
) -> PredictionSummary:
    """Writes what is missing of a file of predictions.

    The last digits of a probability depend on the other lines of its batch. So the job is resumed at the start of a
    piece: the batches are those of a job that was never stopped, and so are the digits.

    Args:
        lines: the file; its origin says what the lines depend on, see `origin`.
        reader: reads the pictures.
        source: the pictures.
        names: which of them, in the order of the lines.
        form: of the lines.
        min_confidence: texts of a smaller confidence are left out; their lines keep the confidence.
        progress: show a bar.

    Raises:
        RunError: the disk is full or broken.
    """
    tally = _Tally(source, names, form)
    kept = lines.resume(tally.keeps)
    try:
        if kept:
            print(f"{lines.part} holds the first {kept} of {len(names)} lines: resuming there.", file=sys.stderr)
        if kept < len(names):
            start = piece_start(kept)
            read = _withheld(predict_images(reader, source, names[start:], progress), min_confidence)
            for prediction in islice(read, kept - start, None):
                row = form.row(prediction)
                lines.write(row)
                form.log(row)
                tally.add(prediction)
        lines.finish()
        form.finish()
    finally:
        lines.close()
    return tally.summary()


def write_predictions_together(
    job: SharedJob,
    reader: LineReader,
    source: ImageSource,
    names: Sequence[str],
    form: Form,
    *,
    min_confidence: float = 0.0,
    progress: bool = True,
) -> PredictionSummary | None:
    """Writes a file of predictions together with other processes, the same bytes as one process writes alone.

    Args:
        job: the file and its origin; see `origin`.
        reader, source, names, form, min_confidence, progress: see `write_predictions`.

    Returns:
        What became of the pictures; None in all processes but the first.

    Raises:
        RunError: see `SharedJob`.
    """
    reader.spread = job.origin[WORKERS]

    def rows(piece: Sequence[str]) -> Iterator[str]:
        return map(form.row, _withheld(predict_images(reader, source, piece, progress=False), min_confidence))

    with tqdm(total=len(names), unit="line", desc="read", disable=not (progress and job.process.is_first)) as bar:
        job.make(rows, bar.update)
    if not job.process.is_first:
        return None
    tally = _Tally(source, names, form)
    summary = job.put_together(tally.keeps, tally.summary)
    ResumableLines(job.path, job.origin).discard()
    if form.logs:
        for row in job.lines():
            form.log(row)
    form.finish()
    return summary


def _withheld(predictions: Iterable[Prediction], min_confidence: float) -> Iterator[Prediction]:
    """Predictions with an empty text where the confidence is too small."""
    for prediction in predictions:
        yield replace(prediction, text="") if prediction.confidence < min_confidence else prediction


def origin(
    files: Mapping[str, str], reader: LineReader, source: ImageSource, names: Sequence[str], **more: Any
) -> dict[str, Any]:
    """What the lines of a file depend on: a stopped job is resumed only where all of it is the same.

    Args:
        files: the SHA-256 of the model's files, by name.
        reader: the model.
        source, names: the pictures.
        more: what else they depend on, as JSON.
    """
    return {
        "model": dict(files),
        "images": shown_path(source.path),
        "pictures": pictures_hash(source, names),
        "engine": type(reader.engine).__name__,
        WORKERS: reader.spread,
        "batch_size": reader.batch_size,
        **more,
    }


def check_out(out: Path, images: str | Path) -> None:
    """Refuses a path that cannot become a file of predictions, before anything is read or made."""
    if out.is_dir():
        raise InputError(f"{shown_path(out)} is a folder; give the name of a file to write.")
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"{shown_path(out)} cannot be written, because {shown_path(above)} is a file.")
    if out.exists() and os.path.exists(images) and os.path.samefile(out, images):
        raise InputError(f"{shown_path(out)} holds the pictures to read; give the name of another file to write.")


def warn_of_breaking_characters(reader: LineReader, model: str | Path) -> None:
    """Says on stderr which characters of the dictionary are written escaped, because they would break a line."""
    breaking = [character for character in reader.charset.characters if shown_name(character) != character]
    if breaking:
        print(
            f"The dictionary of {model} holds {len(breaking)} tabs, line ends or other control characters, which are "
            f"written as \\xNN: {', '.join(map(shown_name, breaking))}",
            file=sys.stderr,
        )


class _Tally:
    """Counts the empty and the unreadable lines of a file of predictions, those of a stopped job among them."""

    def __init__(self, source: ImageSource, names: Sequence[str], form: Form):
        self._source = source
        self._names = names
        self._form = form
        self._empty = 0
        self._withheld = 0
        self._unreadable: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        """Counts a line that was read now."""
        self._empty += not prediction.text
        self._withheld += not prediction.text and prediction.confidence > 0
        if prediction.problem:
            self._unreadable.append(prediction)

    def keeps(self, index: int, line: str) -> bool:
        """Whether a line of a stopped job is the one wanted there; then it is counted."""
        read = self._form.read(self._names[index], line) if index < len(self._names) else None
        if read is None:
            return False
        text, confidence = read
        if not text:
            name = self._names[index]
            problem = None if confidence > 0 else find_problem(self._source, name)
            self.add(problem or Prediction(name, "", confidence))
        return True

    def summary(self) -> PredictionSummary:
        """The counts of all lines."""
        return PredictionSummary(len(self._names), self._empty, tuple(self._unreadable), self._withheld)
