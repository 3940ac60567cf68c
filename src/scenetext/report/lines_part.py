"""Why lines fail: the worst lines with their crops, the confused characters, and what the network looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.evaluate.edits import Edit, edit_script, lines_with_pairs
from scenetext.evaluate.results import Evaluation, Line
from scenetext.report.inline import crop_uri
from scenetext.system.file_names import shown_path

if TYPE_CHECKING:
    from scenetext.config import Config

PAIRS, EXAMPLES = 16, 3  # confused characters that are shown, and lines of each
LISTED = 1000  # further wrong lines that are listed without a picture


class Pictures:
    """The pictures of an evaluation; those that are gone are counted, not guessed.

    Args:
        path: a folder, zip or LMDB.

    Attributes:
        path: the same.
        problem: why there is no picture at all; "" if there may be some.
        missing: names that were asked for and cannot be read.
    """

    def __init__(self, path: str | Path):
        self.path = path
        self.problem = ""
        self.missing: dict[str, str] = {}
        self._source: ImageSource | None = None
        try:
            self._source = open_images(path)
        except InputError as error:
            self.problem = str(error)

    def image(self, name: str) -> np.ndarray | None:
        """The picture of that name, (H, W, 3) uint8 BGR, or None."""
        if self._source is None:
            return None
        try:
            return decode_image(self._source.read(name), self._source.location(name))
        except InputError as error:
            self.missing[name] = str(error)
            return None


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line with its picture.

    Attributes:
        line: label, text read and confidence.
        script: how the label became the text.
        crop: the picture as data URI; None where it is gone.
        image: the picture itself, (H, W, 3) uint8 BGR.
    """

    line: Line
    script: list[Edit]
    crop: str | None
    image: np.ndarray | None


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """A confusion and lines in which it happened; see `evaluate.breakdown.Confusion`."""

    expected: str
    read: str
    count: int
    forgiven: bool
    examples: list[ShownLine]


@dataclass(frozen=True, slots=True)
class LinesPart:
    """The wrong lines of an evaluation.

    Attributes:
        wrong: how many lines are wrong after normalisation.
        worst: the worst of them with their pictures.
        others: the next worst, without.
        pairs: the most frequent confusions.
        problem: why there are no pictures; "" if there are.
        missing: pictures that are gone.
    """

    wrong: int
    worst: list[ShownLine]
    others: list[Line]
    pairs: list[ConfusedPair]
    problem: str
    missing: int


def lines_part(evaluation: Evaluation, pictures: Pictures, count: int) -> LinesPart:
    """The wrong lines, the worst ones first.

    Args:
        evaluation: of the run.
        pictures: of its lines.
        count: lines to show with their pictures.
    """
    wrong = evaluation.worst(len(evaluation.lines))
    worst = [_shown(line, pictures) for line in wrong[:count]]
    pairs = _pairs(evaluation, pictures)
    others = wrong[count : count + LISTED]
    return LinesPart(len(wrong), worst, others, pairs, pictures.problem, len(pictures.missing))


def config_pictures(config: Config) -> Path | None:
    """Where the pictures of a configuration's validation lines lie; None without such a place, or with several."""
    folder = config.Eval.dataset.data_dir if config.has("Eval") else None
    return Path(folder) if folder else None


def sentence_on_missing(pictures: Pictures) -> str:
    """One sentence on pictures that are gone; "" if none is."""
    if pictures.problem:
        return f"There are no pictures in the report ({pictures.problem.rstrip('.')}): say where they are by --images."
    if not pictures.missing:
        return ""
    first = next(iter(pictures.missing.values())).rstrip(".")
    return (
        f"{len(pictures.missing)} pictures of the report are not in {shown_path(pictures.path)}, the first: {first}: "
        "say where they are by --images."
    )


def _shown(line: Line, pictures: Pictures) -> ShownLine:
    image = pictures.image(line.name)
    return ShownLine(line, edit_script(line.target, line.prediction), None if image is None else crop_uri(image), image)


def _pairs(evaluation: Evaluation, pictures: Pictures) -> list[ConfusedPair]:
    chosen = evaluation.confusions[:PAIRS]
    lines: Sequence[Any] = evaluation.lines
    found = lines_with_pairs(
        [line.target for line in lines],
        [line.prediction for line in lines],
        [(confusion.expected, confusion.read) for confusion in chosen],
        EXAMPLES,
    )
    return [
        ConfusedPair(
            confusion.expected,
            confusion.read,
            confusion.count,
            confusion.forgiven,
            [_shown(lines[index], pictures) for index in found[confusion.expected, confusion.read]],
        )
        for confusion in chosen
    ]
