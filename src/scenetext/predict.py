"""Reading lines with an exported folder.

How a line becomes a canvas is `line_reader`'s business. Between lines nothing is kept: memory does not grow with their
number.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm.auto import tqdm

from scenetext.beam_search import ctc_beam
from scenetext.cpu import share_one_heap
from scenetext.data.ahead import ahead
from scenetext.data.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.engines import AUTO, open_engine, usable_threads
from scenetext.errors import InputError
from scenetext.files import sha256_file
from scenetext.inference_yml import read_inference_yml
from scenetext.line_reader import FittedLine, LineReader
from scenetext.ngram import NGramModel
from scenetext.resumable import ResumableLines

LINES_PER_PIECE = 256  # sorted by canvas and read together
LINES_AHEAD = 64  # decoded meanwhile


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was read on one image.

    Attributes:
        name: the image's.
        text: empty where nothing was read.
        confidence: mean probability of the characters, 0.0 for an empty text.
        problem: why the image could not be read, else None.
    """

    name: str
    text: str
    confidence: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """What became of a set of images: how many, how many empty texts, and what could not be read."""

    lines: int
    empty: int
    unreadable: tuple[Prediction, ...]


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


def predict_images(
    reader: LineReader,
    source: ImageSource | str | Path,
    names: Sequence[str] | None = None,
    progress: bool = True,
    on_lines: Callable[[int], object] = lambda count: None,
) -> Iterator[Prediction]:
    """Reads a set of images of any number, in the order of the names.

    Files are decoded by threads ahead of the network. An image that cannot be read gives an empty text with its
    problem said, and is never left out.

    Args:
        reader: the reader.
        source: a folder, zip, LMDB or image, opened or as a path.
        names: which images; by default all.
        progress: show a bar.
        on_lines: told after each batch how many lines it held.

    Raises:
        InputError: there are no images.
    """
    source = open_images(source) if isinstance(source, (str, Path)) else source
    names = _names(source) if names is None else names

    def load(name: str) -> FittedLine | InputError:
        try:
            return reader.fit(decode_image(source.read(name), source.place(name)))
        except InputError as problem:
            return problem

    bar = tqdm(total=len(names), unit="line", desc="read", disable=not progress)
    begun: deque[list[tuple[str, InputError | None]]] = deque()  # names and problems of the pieces being read

    def count(lines: int) -> None:
        bar.update(lines)
        on_lines(lines)

    def pieces() -> Iterator[list[FittedLine]]:
        loaded = zip(names, ahead(load, names, usable_threads(), LINES_AHEAD), strict=True)
        while piece := list(islice(loaded, LINES_PER_PIECE)):
            begun.append([(name, line if isinstance(line, InputError) else None) for name, line in piece])
            yield [line for _, line in piece if isinstance(line, FittedLine)]

    with bar:
        for texts in reader.read_pieces(pieces(), count):
            said = iter(texts)
            for name, problem in begun.popleft():
                if problem is None:
                    yield Prediction(name, *next(said))
                else:
                    count(1)
                    yield Prediction(name, "", 0.0, str(problem))


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
    names = _names(source)
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


def _names(source: ImageSource) -> Sequence[str]:
    names = source.names()
    if not names:
        raise InputError(f"There are no images in {getattr(source, 'path', 'the given source')}.")
    return names


def _unreadable(source: ImageSource, name: str) -> Prediction | None:
    """What `predict_images` gives for an image that cannot be read; None for one that can."""
    try:
        decode_image(source.read(name), source.place(name))
    except InputError as problem:
        return Prediction(name, "", 0.0, str(problem))
    return None


def warn_of_unreadable(summary: PredictionSummary) -> None:
    """Names on stderr the images that could not be read."""
    if summary.unreadable:
        count = f"{len(summary.unreadable)} of {summary.lines}"
        print(f"{count} images could not be read; their texts are empty:", file=sys.stderr)
        for prediction in summary.unreadable:
            print(f"  {prediction.problem}", file=sys.stderr)
