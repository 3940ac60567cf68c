"""Reading many pictures: decoded ahead of the network, the unreadable ones named."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm.auto import tqdm

from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.predict.line_reader import FittedLine, LineReader
from scenetext.system.process import usable_cores

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
    names = image_names(source) if names is None else names

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
        loaded = zip(names, ahead(load, names, usable_cores(), LINES_AHEAD), strict=True)
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


def image_names(source: ImageSource) -> Sequence[str]:
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
