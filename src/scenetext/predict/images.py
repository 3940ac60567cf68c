"""Reading many pictures: decoded ahead of the network, the unreadable ones named.

This is the one loop over pictures: prediction, submission, evaluation and export read through it.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource, open_images, passed_over_notes
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.system.file_names import is_escaped, shown_path
from scenetext.system.process import usable_cores
from scenetext.text.records import Record, RecordTable

LINES_PER_PIECE = 256  # sorted by canvas and read together
RECORDS_PER_PIECE = 512  # the same where labelled lines are read
LINES_AHEAD = 64  # decoded meanwhile
NAMES_SHOWN = 5

LineFunction = Callable[[Sequence[np.ndarray]], Sequence[tuple[str, float]]]
"""A list of (H, W, 3) uint8 BGR pictures → (text, confidence) each."""


class Reader(Protocol):
    """What reads lines piece by piece: a `LineReader`, or a `FunctionReader`."""

    def fit(self, image: np.ndarray) -> Any:
        """A picture, (H, W, 3) uint8 BGR, in the form that `read_pieces` takes; threads may call it."""

    def read_pieces(
        self, pieces: Iterable[Sequence[Any]], on_lines: Callable[[int], object]
    ) -> Iterator[list[tuple[str, float]]]:
        """Text and confidence of every line, piece by piece; `on_lines` is called with the number of lines done."""


class FunctionReader:
    """A function that reads pictures, as a Reader: for tests and for other software."""

    def __init__(self, function: LineFunction):
        self.function = function

    def fit(self, image: np.ndarray) -> np.ndarray:
        return image

    def read_pieces(
        self, pieces: Iterable[Sequence[np.ndarray]], on_lines: Callable[[int], object]
    ) -> Iterator[list[tuple[str, float]]]:
        for piece in pieces:
            results = list(self.function(piece)) if piece else []
            on_lines(len(piece))
            yield results


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was read on one picture.

    Attributes:
        name: the picture's.
        text: empty where nothing was read.
        confidence: mean probability of the characters, 0.0 for an empty text.
        problem: why the picture could not be read, else None.
        height_px, width_px: the picture's size, 0 by 0 when it could not be read.
    """

    name: str
    text: str
    confidence: float
    problem: str | None = None
    height_px: int = 0
    width_px: int = 0


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """What became of a set of pictures.

    Attributes:
        lines: how many pictures there are.
        empty: how many have an empty text, for whatever reason.
        unreadable: those that could not be read.
        withheld: how many texts were left out because their confidence is too small.
    """

    lines: int
    empty: int
    unreadable: tuple[Prediction, ...]
    withheld: int = 0


def predict_images(
    reader: Reader,
    source: ImageSource | str | Path,
    names: Sequence[str] | None = None,
    progress: bool = True,
    on_lines: Callable[[int], object] = lambda count: None,
) -> Iterator[Prediction]:
    """Reads a set of pictures of any number, in the order of the names.

    Threads decode files ahead of the network. A picture that cannot be read gives an empty text and a problem; it is
    never left out.

    Args:
        reader: the reader.
        source: a folder, zip, LMDB or picture, opened or as a path.
        names: which pictures; by default all.
        progress: show a bar.
        on_lines: called after each batch with its number of lines.

    Raises:
        InputError: there are no pictures.
    """
    source = open_images(source) if isinstance(source, (str, Path)) else source
    names = image_names(source) if names is None else names
    return _read(reader, source, names, LINES_PER_PIECE, "read" if progress else None, on_lines)


def read_records(
    reader: Reader, records: Sequence[Record], source: ImageSource, progress: bool = True
) -> Iterator[Prediction]:
    """Reads the pictures of labelled lines, in the order of the records; see `predict_images`.

    Whether a picture that cannot be read is an error or counts as empty, the caller decides by `Prediction.problem`,
    which names the picture's file and the label's location.

    Args:
        reader: the reader. A `ModelReader` puts its network into evaluation mode while lines are taken from this
            iterator, and back when the iterator ends or is closed.
        records: the labelled lines.
        source: where their names are found.
        progress: show a bar.
    """
    names = records.names if isinstance(records, RecordTable) else [record.name for record in records]
    predictions = _read(reader, source, names, RECORDS_PER_PIECE, "evaluate" if progress else None)
    for record, prediction in zip(records, predictions, strict=True):
        if prediction.problem is not None:
            prediction = replace(prediction, problem=f"{prediction.problem} (its label: {record.location})")
        yield prediction


class _Loaded(NamedTuple):
    """A picture after decoding: the fitted line and its size in pixels, or the problem."""

    line: Any
    height_px: int = 0
    width_px: int = 0
    problem: str | None = None


def _read(
    reader: Reader,
    source: ImageSource,
    names: Sequence[str],
    lines_per_piece: int,
    title: str | None,
    on_lines: Callable[[int], object] = lambda count: None,
) -> Iterator[Prediction]:
    """The loop over pictures, with a bar of that title or without one."""

    def load(name: str) -> tuple[str, _Loaded]:
        try:
            image = decode_image(source.read(name), source.location(name))
        except InputError as problem:  # its text alone: the error would keep the file's bytes in memory
            return name, _Loaded(None, problem=str(problem))
        return name, _Loaded(reader.fit(image), *image.shape[:2])

    begun: deque[list[tuple[str, _Loaded]]] = deque()  # the pieces that are being read, without their lines

    def count(lines: int) -> None:
        bar.update(lines)
        on_lines(lines)

    def pieces() -> Iterator[list[Any]]:
        loaded = ahead(load, names, usable_cores(), LINES_AHEAD)
        while piece := list(islice(loaded, lines_per_piece)):
            begun.append([(name, picture._replace(line=None)) for name, picture in piece])
            yield [picture.line for _, picture in piece if picture.problem is None]

    with tqdm(total=len(names), unit="line", desc=title, disable=title is None) as bar:
        for texts in reader.read_pieces(pieces(), count):
            read = iter(texts)
            for name, picture in begun.popleft():
                if picture.problem is None:
                    yield Prediction(name, *next(read), None, picture.height_px, picture.width_px)
                else:
                    count(1)
                    yield Prediction(name, "", 0.0, picture.problem)


def image_names(source: ImageSource) -> Sequence[str]:
    """The names of all pictures of a source; InputError when there are none."""
    names = source.names()
    if not names:
        told = f" ({source.passed_over})" if source.passed_over else ""
        raise InputError(f"There are no images in {shown_path(source.path)}{told}.")
    return names


def pictures_hash(source: ImageSource, names: Sequence[str]) -> str:
    """A hash of the names of pictures, and of what changes with their content, without reading them."""
    digest = hashlib.sha256()
    for name in names:
        try:
            fingerprint = source.fingerprint(name)
        except InputError:  # reading it will name the problem
            fingerprint = None
        digest.update(f"{name}\t{fingerprint}\n".encode())
    return digest.hexdigest()


def piece_start(index: int) -> int:
    """The first picture of the piece that `predict_images` reads the picture of that index in."""
    return index - index % LINES_PER_PIECE


def find_problem(source: ImageSource, name: str) -> Prediction | None:
    """What `predict_images` gives for a picture that cannot be read; None for one that can."""
    try:
        decode_image(source.read(name), source.location(name))
    except InputError as problem:
        return Prediction(name, "", 0.0, str(problem))
    return None


def warn_of_passed_over(source: ImageSource) -> None:
    """Says on stderr which files of a source were passed over when its names were listed."""
    for note in passed_over_notes(source):
        print(note, file=sys.stderr)


def warn_of_escaped(names: Iterable[str]) -> None:
    """Says on stderr which names are written otherwise than they are, because a line of text cannot hold them."""
    escaped = [name for name in names if is_escaped(name)]
    if escaped:
        listed = ", ".join(escaped[:NAMES_SHOWN]) + (", ..." if len(escaped) > NAMES_SHOWN else "")
        print(
            f"{len(escaped)} names hold tabs, line ends, other control characters or bytes in no known encoding, which "
            f"are written as \\xNN: {listed}",
            file=sys.stderr,
        )


def warn_of_unreadable(summary: PredictionSummary) -> None:
    """Names on stderr the pictures that could not be read."""
    if summary.unreadable:
        count = f"{len(summary.unreadable)} of {summary.lines}"
        print(f"{count} images could not be read; their texts are empty:", file=sys.stderr)
        for prediction in summary.unreadable:
            print(f"  {prediction.problem}", file=sys.stderr)
