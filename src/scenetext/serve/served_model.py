"""An exported folder, opened for serving: a queue of lines and, with a detector, one of photos."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scenetext.data.detection.resize import LONGEST_SIDE_PX
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.predict.boxes import Box
from scenetext.predict.choices import AUTO
from scenetext.predict.decoding_settings import chosen_decoding
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.engines import fastest_engine
from scenetext.predict.line_reader import FittedLine
from scenetext.predict.photo_detector import PhotoDetector
from scenetext.predict.photo_reader import LEAST_CONFIDENCE, find_lines
from scenetext.predict.recognizer import Recognizer
from scenetext.serve.line_queue import LineQueue
from scenetext.system.process import usable_cores

THREADED_ENGINE = "onnxruntime"  # may be used in several threads; each computes a batch of its own, as offline
DIGEST_LENGTH = 12
TRIAL_PX = (48, 160)  # height and width of a picture that is read when a model is opened


class FoundLines(NamedTuple):
    """The lines of a photo that are not read yet.

    Attributes:
        boxes: in reading order.
        lines: of each box, for the queue.
        width_px, height_px: of the photo.
    """

    boxes: list[Box]
    lines: list[FittedLine]
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What to serve.

    Attributes:
        model: the exported recogniser's folder.
        detector: an exported detector's folder or "wheel:NAME"; None reads single lines only.
        engine, batch_size: see Recognizer.
        min_confidence, max_side_px: of photos, see PhotoReader.
        turned: see Recognizer.
        decoding: the folder that `tune-decoding` wrote; None decodes greedily.

    Raises:
        InputError: a number is out of its range.
    """

    model: str | Path
    detector: str | Path | None = None
    engine: str = AUTO
    batch_size: int = 16
    min_confidence: float = LEAST_CONFIDENCE
    max_side_px: int = LONGEST_SIDE_PX
    turned: float | None = None
    decoding: str | Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise InputError(f"The least confidence {self.min_confidence} must be between 0 and 1.")


class ServedModel:
    """The networks of one export: opened once, they stay in memory whatever becomes of the folder.

    Args:
        choice: what to open.
        max_pixels: of a picture.
        on_batch: see LineQueue.

    Attributes:
        queue: reads lines.
        name: the first digits of a SHA-256 of all files and of how lines are read, which tells one export from another.

    Raises:
        InputError: a folder is not complete, holds the other kind of network, or a dictionary of another length.
        RunError: a folder was changed while it was being opened.
    """

    def __init__(self, choice: ModelChoice, max_pixels: int, on_batch: Callable[[int], object] = lambda count: None):
        self.min_confidence = choice.min_confidence
        self._max_pixels = max_pixels
        name = fastest_engine(choice.model) if choice.engine == AUTO else choice.engine
        threaded = name == THREADED_ENGINE
        decoding = chosen_decoding(choice.decoding)
        options = {"threads": 1 if threaded else None, "turned": choice.turned, **decoding.reader_options}
        open_reader = partial(Recognizer, choice.model, name, choice.batch_size, **options)
        self.queue = LineQueue(open_reader, usable_cores() if threaded else 1, on_batch)
        self._decoders = ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode")
        self._detectors = ThreadPoolExecutor(1, thread_name_prefix="photos")  # all cores compute one photo together
        self._detector: PhotoDetector | None = None
        files = dict(self.queue.reader.files)
        try:
            # a first line and a first photo show whether the network and its settings belong together
            blank = np.full((*TRIAL_PX, 3), 255, np.uint8)
            self.queue.submit([self.queue.reader.fit(blank)]).result()
            if choice.detector is not None:
                options = {"engine": choice.engine, "max_side_px": choice.max_side_px}
                self._detector = self._detectors.submit(PhotoDetector, choice.detector, **options).result()
                self._detectors.submit(self._detector, blank).result()
                files |= {f"detector/{file}": facts for file, facts in self._detector.files.items()}
        except BaseException:
            self.close()
            raise
        listed = "".join(f"{file} {facts['sha256']}\n" for file, facts in sorted(files.items()))
        listed += json.dumps([decoding.facts, choice.turned])
        self.name = hashlib.sha256(listed.encode()).hexdigest()[:DIGEST_LENGTH]

    @property
    def detection(self) -> DetectionSettings | None:
        """What the detector does before and after its network; None without a detector."""
        return None if self._detector is None else self._detector.settings

    def fit(self, data: bytes, location: str) -> Future[FittedLine]:
        """Decodes the picture of a line and fits it for the queue; see `find` for the errors of the future."""
        return self._decoders.submit(lambda: self.queue.reader.fit(self._decoded(data, location)))

    def find(self, data: bytes, location: str) -> Future[FoundLines]:
        """Decodes a photo and finds its lines; without a detector the whole picture is taken as one line.

        Args:
            data: the picture's bytes.
            location: what messages call it.

        Returns:
            The lines for the queue. The future's exception is an InputError where the bytes are no picture, or one of
            too many pixels.
        """
        return (self._decoders if self._detector is None else self._detectors).submit(self._find, data, location)

    def _find(self, data: bytes, location: str) -> FoundLines:
        photo = self._decoded(data, location)
        height, width = photo.shape[:2]
        if self._detector is not None:
            return FoundLines(*find_lines(photo, self._detector, self.queue.reader), width, height)
        corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
        return FoundLines([Box(corners, 1.0)], [self.queue.reader.fit(photo)], width, height)

    def _decoded(self, data: bytes, location: str) -> np.ndarray:
        return decode_image(data, location, self._max_pixels)

    def close(self) -> None:
        """Ends the threads when what they have begun is done."""
        self.queue.close()
        for pool in (self._decoders, self._detectors):
            pool.shutdown(wait=False)
