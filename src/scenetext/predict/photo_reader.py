"""From photos to their texts: a detector finds the boxes, a recogniser reads the crops of many photos together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from scenetext.data.detection.crops import crop_text
from scenetext.data.detection.resize import LONGEST_SIDE_PX
from scenetext.errors import InputError
from scenetext.predict.boxes import Box
from scenetext.predict.choices import AUTO
from scenetext.predict.line_reader import FittedLine, LineReader
from scenetext.predict.photo_detector import PhotoDetector
from scenetext.predict.reading_order import reading_order
from scenetext.predict.recognizer import Recognizer

PHOTOS_PER_PIECE = 8  # whose crops are read together
LEAST_CONFIDENCE = 0.5

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class PhotoLine:
    """A text of a photo.

    Attributes:
        text: what was read.
        confidence: mean probability of its characters, in [0, 1].
        points: (N, 2) int64, x and y in pixels of the photo; four corners from the upper left one clockwise.
        box_score: the detector's mean probability of text, in [0, 1].
    """

    text: str
    confidence: float
    points: np.ndarray
    box_score: float


@dataclass(frozen=True, slots=True)
class PhotoTexts:
    """What was read on a photo.

    Attributes:
        lines: the texts in reading order.
        rejected: boxes whose text is empty or less certain than was asked for, in reading order.
    """

    lines: list[PhotoLine]
    rejected: list[PhotoLine]


class PhotoReader:
    """Reads whole photos: `PhotoReader(detector, model)(photos)` → a `PhotoTexts` for each.

    Args:
        detector: an exported detector's folder, or "wheel:NAME", a detector in an installed wheel.
        model: an exported recogniser's folder, or a `Recognizer`, which keeps its own engine and numbers.
        engine: see Recognizer; of both networks.
        batch_size: lines computed at a time, fewer of wide ones.
        threads: CPU threads; by default all cores that the process may use.
        min_confidence: texts below are rejected.
        max_side_px: a photo is searched at no larger size, which bounds memory and time.

    Raises:
        InputError: a folder is not complete or holds the other kind of network, or a number is out of its range.
        RunError: a folder was changed while it was being opened.
    """

    def __init__(
        self,
        detector: str | Path,
        model: str | Path | Recognizer,
        engine: str = AUTO,
        batch_size: int = 16,
        threads: int | None = None,
        min_confidence: float = LEAST_CONFIDENCE,
        max_side_px: int = LONGEST_SIDE_PX,
    ):
        if not 0 <= min_confidence <= 1:
            raise InputError(f"The least confidence {min_confidence} must be between 0 and 1.")
        self.min_confidence = min_confidence
        self.detector = PhotoDetector(detector, engine, threads, max_side_px)
        is_open = isinstance(model, Recognizer)
        self.recognizer = model if is_open else Recognizer(model, engine, batch_size, threads)

    def __call__(self, photos: Sequence[np.ndarray]) -> list[PhotoTexts]:
        """Reads photos, in the order given.

        Args:
            photos: (H, W, 3) uint8 each, blue first, of any size.

        Raises:
            InputError: an array has another shape or type.
        """
        for index, photo in enumerate(photos):
            if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or not photo.size:
                raise InputError(
                    f"Photo {index} is {photo.dtype} of shape {photo.shape}; a photo is (height, width, 3) of uint8, "
                    "blue first, as cv2.imread gives it."
                )
        return [texts for _, texts in self.read_pieces(enumerate(photos))]

    def read_pieces(self, photos: Iterable[tuple[Key, np.ndarray | None]]) -> Iterator[tuple[Key, PhotoTexts]]:
        """Reads photos of any number, a piece of PHOTOS_PER_PIECE at a time, so that crops of several share batches.

        Args:
            photos: a key and (H, W, 3) uint8 each; None has no texts.

        Returns:
            Key and texts of each, in order. The last digits of a confidence depend on the photos of its piece.
        """
        found = self._found(photos)
        begun: deque[list[tuple[Key, list[Box]]]] = deque()  # the pieces whose crops are being read

        def pieces() -> Iterator[list[FittedLine]]:
            while piece := list(islice(found, PHOTOS_PER_PIECE)):
                begun.append([(key, boxes) for key, boxes, _ in piece])
                yield [line for _, _, lines in piece for line in lines]

        for texts in self.recognizer.read_pieces(pieces()):
            read = iter(texts)
            for key, boxes in begun.popleft():
                yield key, photo_texts(boxes, list(islice(read, len(boxes))), self.min_confidence)

    def _found(
        self, photos: Iterable[tuple[Key, np.ndarray | None]]
    ) -> Iterator[tuple[Key, list[Box], list[FittedLine]]]:
        """Key, boxes in reading order and their crops of each photo; the photo itself is let go."""
        for key, photo in photos:
            boxes, lines = ([], []) if photo is None else find_lines(photo, self.detector, self.recognizer)
            yield key, boxes, lines


def find_lines(photo: np.ndarray, detector: PhotoDetector, reader: LineReader) -> tuple[list[Box], list[FittedLine]]:
    """The texts of a photo, not read yet: boxes in reading order and their crops, fitted for a reader of lines.

    Args:
        photo: (H, W, 3) uint8, blue first.
        detector: finds the boxes.
        reader: fits the crops.
    """
    boxes = detector(photo)
    boxes = [boxes[index] for index in reading_order([box.points for box in boxes])]
    crops = [(box, crop_text(photo, box.points)) for box in boxes]
    found = [(box, reader.fit(crop)) for box, crop in crops if crop is not None]
    return [box for box, _ in found], [line for _, line in found]


def photo_texts(boxes: Sequence[Box], readings: Sequence[tuple[str, float]], min_confidence: float) -> PhotoTexts:
    """What was read on a photo.

    Args:
        boxes: as `find_lines` gives them.
        readings: text and confidence of each.
        min_confidence: in [0, 1]; texts below are rejected.
    """
    lines = [PhotoLine(*reading, *box) for reading, box in zip(readings, boxes, strict=True)]
    certain = [bool(line.text) and line.confidence >= min_confidence for line in lines]
    kept = [line for line, is_certain in zip(lines, certain, strict=True) if is_certain]
    return PhotoTexts(kept, [line for line, is_certain in zip(lines, certain, strict=True) if not is_certain])
