"""CTC's alignment over a picture: which time step said what, how surely, and where its character lies.

Paper: Graves et al., Connectionist Temporal Classification, ICML 2006, sections 3.1 and 3.2: a path of classes, one per
step, is collapsed to a text by merging repetitions and removing blanks. The alignment here is the best path, the one
that `decode.ctc_greedy` collapses; a beam search may read another text.

A network trained by CTC says most characters in one or two steps and blanks around them (section 6 of the paper), so a
span is narrower than the character it stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.decode import ctc_kept, decode_best
from scenetext.predict.line_reader import FittedLine, LineReader
from scenetext.text.charset import BLANK, Charset


@dataclass(frozen=True, slots=True)
class CharacterSpan:
    """A character of the text and the steps that said it: the first, and its repetitions.

    Attributes:
        character: the character.
        first_step, last_step: the first and the last of these steps, from 0.
        probability: of the character in its first step, which counts for the confidence.
        left_px, right_px: the edges of these steps in the picture, in pixels.
    """

    character: str
    first_step: int
    last_step: int
    probability: float
    left_px: float
    right_px: float


@dataclass(frozen=True, slots=True)
class CtcPath:
    """The best path through the probabilities of one line of T steps.

    Attributes:
        text: what the path collapses to.
        confidence: mean probability of the kept steps, 0.0 for an empty text.
        edges_px: (T + 1,) float64, the edges of the steps in the picture, in pixels. Steps beyond the picture's right
            edge read padding.
        characters: (T) the likeliest character of each step, "" for the blank.
        probabilities: (T,) float32, its probability.
        second_characters, second_probabilities: the same of the second likeliest class.
        kept: (T,) bool, the steps that give a character of the text; the others are blanks and repetitions.
        spans: of the text's characters.
    """

    text: str
    confidence: float
    edges_px: np.ndarray
    characters: tuple[str, ...]
    probabilities: np.ndarray
    second_characters: tuple[str, ...]
    second_probabilities: np.ndarray
    kept: np.ndarray
    spans: tuple[CharacterSpan, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """A line's picture and its path.

    Attributes:
        picture: (H, W, 3) uint8 BGR, the picture that the pixels of the path count in: the one given, or what the
            network's rectifier made of it.
        path: the path.
    """

    picture: np.ndarray
    path: CtcPath


def align(reader: LineReader, images: Sequence[np.ndarray]) -> list[Alignment]:
    """Aligns lines that CTC decodes.

    Args:
        reader: a `Recognizer` on an exported folder or a `ModelReader` on a checkpoint. An exported folder keeps its
            rectifier, if the network has one, to itself: then the pixels are those of a picture that is not shown.
        images: (H, W, 3) uint8 BGR each, of any size.

    Raises:
        InputError: the network is not decoded by CTC.
    """
    if reader.decoding != "ctc":
        raise InputError(
            f"This network is decoded by {reader.decoding} and has no CTC alignment: see its attention maps."
        )
    alignments = []
    for image in images:
        line = reader.fit(image)
        picture, canvas_px = shown_picture(reader, image, line)
        alignments.append(Alignment(picture, best_path(reader.probabilities(line), reader.charset, canvas_px)))
    return alignments


def shown_picture(reader: LineReader, image: np.ndarray, line: FittedLine) -> tuple[np.ndarray, float]:
    """The picture that a network's positions refer to.

    Args:
        reader: the reader.
        image: (H, W, 3) uint8 BGR.
        line: the same, as the reader fitted it.

    Returns:
        The rectified picture if there is one, else `image`; and the width of the network's whole canvas, padding
        included, in pixels of this picture.
    """
    rectified = reader.rectified(line)
    if rectified is not None:
        return rectified, float(rectified.shape[1])
    return image, line.canvas_px * image.shape[1] / line.image.shape[1]


def best_path(probabilities: np.ndarray, charset: Charset, canvas_px: float) -> CtcPath:
    """The best path through the probabilities of one line.

    Args:
        probabilities: (T, C) float of the classes of every step; at least one step and two classes.
        charset: the characters of the classes.
        canvas_px: width that all steps share, in pixels of the picture; see `shown_picture`.
    """
    steps = np.arange(len(probabilities))
    best = probabilities.argmax(axis=1)
    others = probabilities.copy()
    others[steps, best] = -1.0
    second = others.argmax(axis=1)
    peak = probabilities[steps, best]
    kept = ctc_kept(best[None])[0]
    ((text, confidence),) = decode_best(best[None], peak[None], charset)
    edges_px = np.linspace(0.0, canvas_px, len(probabilities) + 1)
    characters = _characters(best, charset)
    spans = []
    for first in np.flatnonzero(kept):
        others = np.flatnonzero(best[first:] != best[first])
        last = int(first + others[0] - 1) if len(others) else int(steps[-1])
        left, right = float(edges_px[first]), float(edges_px[last + 1])
        spans.append(CharacterSpan(characters[first], int(first), last, float(peak[first]), left, right))
    return CtcPath(
        text,
        confidence,
        edges_px,
        characters,
        peak,
        _characters(second, charset),
        probabilities[steps, second],
        kept,
        tuple(spans),
    )


def _characters(classes: np.ndarray, charset: Charset) -> tuple[str, ...]:
    return tuple("" if index == BLANK else charset.decode([int(index)]) for index in classes)
