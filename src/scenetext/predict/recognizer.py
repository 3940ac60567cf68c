"""Reading lines with an exported folder.

`line_reader` lays lines on canvases. Nothing is kept between lines, so memory does not grow with their number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.predict.beam_search import ctc_beam
from scenetext.predict.engines import AUTO, open_engine
from scenetext.predict.images import (
    Prediction,
    PredictionSummary,
    find_problem,
    image_names,
    pictures_hash,
    piece_start,
    predict_images,
    warn_of_escaped,
    warn_of_passed_over,
    warn_of_unreadable,
)
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_files import check_files, file_facts, unchanged
from scenetext.predict.model_folder import read_inference_yml
from scenetext.predict.ngram import NGramModel
from scenetext.system.file_names import shown_name, shown_path
from scenetext.system.files import sha256_file
from scenetext.system.locks import only_writer
from scenetext.system.process import share_one_heap
from scenetext.system.resumable import ResumableLines


class Recognizer(LineReader):
    """An exported folder as a reader: `Recognizer(folder)(images)` → [(text, confidence), ...].

    Args:
        folder: what `scenetext export` wrote, or any folder of PaddleX's form.
        engine: "paddle" (Paddle Inference), "onnxruntime", or "auto": the faster one on this machine.
        batch_size: lines computed at a time, fewer of wide ones.
        threads: CPU threads; by default all cores that the process may use.
        beam_width: texts that CTC decoding follows at once; 0 takes the best class of every step.
        language_model: ranks the texts of the beam together with the network.

    Attributes:
        files: the SHA-256 and the size in bytes of the folder's files, by name, as they were read.
        model_name: the name in the folder's settings.

    Raises:
        InputError: the folder is not complete, a file is not the one that was exported, or a beam width is given for a
            network that CTC does not decode.
        RunError: the folder was changed while it was being opened.
    """

    def __init__(
        self,
        folder: str | Path,
        engine: str = AUTO,
        batch_size: int = 16,
        threads: int | None = None,
        beam_width: int = 0,
        language_model: NGramModel | None = None,
    ):
        with unchanged(folder):
            settings = read_inference_yml(folder)
            self.files = file_facts(folder)
            check_files(folder, self.files, settings.checksums)
            engine = open_engine(engine, folder, threads)
        self.model_name = settings.model_name
        super().__init__(engine, settings.charset, settings.canvas, batch_size, settings.decoding)
        if language_model is not None and not beam_width:
            raise InputError("A language model ranks the texts of a beam: give a beam width, too, such as 10.")
        if beam_width:
            if settings.decoding != "ctc":
                raise InputError(f"{folder} decodes by {settings.decoding}; beam search is for CTC.")
            self.decode = partial(ctc_beam, width=beam_width, language_model=language_model)


def predict_to_file(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    engine: str = AUTO,
    batch_size: int = 16,
    progress: bool = True,
    beam_width: int = 0,
    language_model: str | Path | None = None,
) -> PredictionSummary:
    """Reads pictures into a file of lines `name<TAB>text<TAB>confidence`, whole or not at all.

    Pictures that cannot be read stand in it with an empty text and are named on stderr, as are files that were passed
    over. A job that was stopped leaves its lines in `OUT.part`; the same call resumes there.

    Args:
        model: the exported folder.
        images: a folder, zip, LMDB or picture.
        out: the file.
        engine, batch_size: see Recognizer.
        progress: show a bar.
        beam_width: see Recognizer.
        language_model: a file that NGramModel.save wrote.

    Raises:
        InputError: there are no pictures, the model's folder is not complete, or `out` cannot be a file.
        RunError: another process writes `out` now, or the disk is full or broken.
    """
    out = Path(out)
    _check_out(out, images)
    share_one_heap()
    source = open_images(images)
    names = image_names(source)
    weights = NGramModel.load(language_model) if language_model is not None else None
    reader = Recognizer(model, engine, batch_size, beam_width=beam_width, language_model=weights)
    warn_of_passed_over(source)
    warn_of_escaped(names)
    _warn_of_breaking_characters(reader, model)
    origin = {
        **_origin(reader, source, names),
        "beam_width": beam_width,
        "language_model": None if language_model is None else sha256_file(language_model),
    }
    with only_writer(out):
        summary = _write_lines(ResumableLines(out, origin), reader, source, names, progress)
    warn_of_unreadable(summary)
    return summary


def _write_lines(
    lines: ResumableLines, reader: Recognizer, source: ImageSource, names: Sequence[str], progress: bool
) -> PredictionSummary:
    """Writes what is missing of a file of predictions.

    The last digits of a probability depend on the other lines of its batch. So the job is resumed at the start of a
    piece: the batches are those of a job that was never stopped, and so are the digits.
    """
    tally = _Tally(source, names)
    kept = lines.resume(tally.keeps)
    try:
        if kept:
            print(f"{lines.part} holds the first {kept} of {len(names)} lines: resuming there.", file=sys.stderr)
        if kept < len(names):
            start = piece_start(kept)
            for prediction in islice(predict_images(reader, source, names[start:], progress), kept - start, None):
                lines.write(f"{prediction.name}\t{shown_name(prediction.text)}\t{prediction.confidence:.6f}")
                tally.add(prediction)
        lines.finish()
    finally:
        lines.close()
    return tally.summary()


def _warn_of_breaking_characters(reader: Recognizer, model: str | Path) -> None:
    """Says on stderr which characters of the dictionary are written escaped, because they would break a line."""
    breaking = [character for character in reader.charset.characters if shown_name(character) != character]
    if breaking:
        print(
            f"The dictionary of {model} holds {len(breaking)} tabs, line ends or other control characters, which are "
            f"written as \\xNN: {', '.join(map(shown_name, breaking))}",
            file=sys.stderr,
        )


def _check_out(out: Path, images: str | Path) -> None:
    """Refuses a path that cannot become a file of predictions, before anything is read or made."""
    if out.is_dir():
        raise InputError(f"{shown_path(out)} is a folder; give the name of a file to write.")
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"{shown_path(out)} cannot be written, because {shown_path(above)} is a file.")
    if out.exists() and os.path.exists(images) and os.path.samefile(out, images):
        raise InputError(f"{shown_path(out)} holds the pictures to read; give the name of another file to write.")


def _origin(reader: Recognizer, source: ImageSource, names: Sequence[str]) -> dict[str, Any]:
    """What the lines depend on: a stopped job is resumed only where all of it is the same."""
    return {
        "model": {name: facts["sha256"] for name, facts in reader.files.items()},
        "images": shown_path(source.path),
        "pictures": pictures_hash(source, names),
        "engine": type(reader.engine).__name__,
        "workers": reader.engine.workers,
        "batch_size": reader.batch_size,
    }


class _Tally:
    """Counts the empty and the unreadable lines of a file of predictions, those of a stopped job among them."""

    def __init__(self, source: ImageSource, names: Sequence[str]):
        self._source = source
        self._names = names
        self._empty = 0
        self._unreadable: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        """Counts a line that was read now."""
        self._empty += not prediction.text
        if prediction.problem:
            self._unreadable.append(prediction)

    def keeps(self, index: int, line: str) -> bool:
        """Whether a line of a stopped job is the one wanted there; then it is counted."""
        name, *read = line.split("\t")
        if len(read) != 2 or index >= len(self._names) or name != self._names[index]:
            return False
        if not read[0]:
            self.add(find_problem(self._source, name) or Prediction(name, "", 0.0))
        return True

    def summary(self) -> PredictionSummary:
        """The counts of all lines."""
        return PredictionSummary(len(self._names), self._empty, tuple(self._unreadable))
