"""Reading lines with an exported folder.

How a line becomes a canvas is `line_reader`'s business. Between lines nothing is kept: memory does not grow with their
number.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.predict.beam_search import ctc_beam
from scenetext.predict.engines import AUTO, open_engine
from scenetext.predict.images import (
    Prediction,
    PredictionSummary,
    _unreadable,
    image_names,
    predict_images,
    warn_of_unreadable,
)
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_folder import read_inference_yml
from scenetext.predict.ngram import NGramModel
from scenetext.system.files import sha256_file
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
        language_model: weighs the texts of the beam.

    Raises:
        InputError: the folder is not complete, or the beam is asked for where CTC does not decode.
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
        settings = read_inference_yml(folder)
        engine = open_engine(engine, folder, threads)
        super().__init__(engine, settings.charset, settings.canvas, batch_size, settings.decoding)
        if language_model is not None and not beam_width:
            raise InputError("A language model weighs the texts of a beam: give a beam width, too, such as 10.")
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
    """Reads images into a file of lines `name<TAB>text<TAB>confidence`, whole or not at all.

    Images that cannot be read stand in it with an empty text and are named on stderr. A job that was stopped leaves
    its lines in `OUT.part`; the same call goes on from there.

    Args:
        model: the exported folder.
        images: a folder, zip, LMDB or image.
        out: the file.
        engine, batch_size: see Recognizer.
        progress: show a bar.
        beam_width: see Recognizer.
        language_model: a file that NGramModel.save wrote.
    """
    share_one_heap()
    source = open_images(images)
    weighing = NGramModel.load(language_model) if language_model is not None else None
    reader = Recognizer(model, engine, batch_size, beam_width=beam_width, language_model=weighing)
    names = image_names(source)
    lines = ResumableLines(out, {
        "model": {path.name: sha256_file(path) for path in sorted(Path(model).glob("inference.*"))},
        "images": str(images), "engine": engine, "beam_width": beam_width,
        "language_model": None if language_model is None else sha256_file(language_model),
    })  # fmt: skip
    empty = 0
    unreadable: list[Prediction] = []

    def stands(index: int, line: str) -> bool:
        """Takes a line of a stopped job into the summary, when it is this one's."""
        nonlocal empty
        name, *read = line.split("\t")
        if len(read) != 2 or index >= len(names) or name != names[index]:
            return False
        if not read[0]:
            empty += 1
            prediction = _unreadable(source, name)
            unreadable.extend([prediction] if prediction else [])
        return True

    kept = lines.resume(stands)
    try:
        if kept:
            print(f"{lines.part} holds the first {kept} of {len(names)} lines: going on from there.", file=sys.stderr)
        if kept < len(names):
            for prediction in predict_images(reader, source, names[kept:], progress):
                lines.write(f"{prediction.name}\t{prediction.text}\t{prediction.confidence:.6f}")
                empty += not prediction.text
                if prediction.problem:
                    unreadable.append(prediction)
        lines.finish()
    finally:
        lines.close()
    summary = PredictionSummary(len(names), empty, tuple(unreadable))
    warn_of_unreadable(summary)
    return summary
