"""Reading lines of all widths with one network, none changed by another.

A line is laid on a canvas as wide as itself and at least as wide as the network's configured canvas. That is PaddleX's
rule, to the pixel, so that the `paddleocr` package reads the same. Networks with one input size get that size. Only
lines of equal canvas share a batch, so a text does not depend on the other lines of its batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Protocol

import numpy as np

from scenetext.data.transforms import Canvas, resize_line, stretch_line, to_canvas
from scenetext.errors import InputError
from scenetext.predict.decode import GREEDY_DECODERS
from scenetext.predict.turned import can_be_beaten, checked_margin, sideways, surest, upside_down
from scenetext.text.charset import CLASSES_BEYOND_CTC, Charset

MAX_WIDTH_PX = 3200  # wider lines are squeezed to this width, as by PaddleX
FULL_BATCH_WIDTHS = 2  # up to so many times the smallest width a batch holds its full number of lines
PIECES_BEGUN = 2
LEAST_BUDGET_WIDTH_PX = 320  # a batch may always hold the pixels of its number of lines at this width


class Engine(Protocol):
    """Computes a network.

    Attributes:
        workers: the number of batches that it computes at the same time, each for a thread of its own.
    """

    workers: int

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 → float32 probabilities: of a recogniser (B, T, C), of a detector (B, 1, H, W)."""


@dataclass(frozen=True, slots=True)
class FittedLine:
    """A line resized to the network's height, (H, w, 3) uint8, and the width of its canvas, at least w.

    Attributes:
        sideways: the line turned by 90 degrees, where it is to be read so, too.
    """

    image: np.ndarray
    canvas_px: int
    sideways: tuple[FittedLine, ...] = ()

    @property
    def canvas_size_px(self) -> tuple[int, int]:
        """Width and height of its canvas: only lines of equal canvases share a batch."""
        return self.canvas_px, self.image.shape[0]


def fit_line(image: np.ndarray, canvas: Canvas) -> FittedLine:
    """Resizes a line to the network's height.

    Args:
        image: (H, W, 3) uint8, blue first.
        canvas: of the network.

    Returns:
        The line, squeezed where it would be wider than a fixed canvas or MAX_WIDTH_PX, on a canvas by PaddleX's
        arithmetic.
    """
    if canvas.by_ratio:
        width_px, height_px = canvas.size_of(*image.shape[1::-1])
        return FittedLine(stretch_line(image, height_px, width_px), width_px)
    height_px = canvas.height_px
    ratio = image.shape[1] / image.shape[0]
    if canvas.stretched:
        return FittedLine(resize_line(image, height_px, canvas.width_px), canvas.width_px)
    width_px = canvas.width_px if canvas.fixed else int(height_px * max(canvas.width_px / height_px, ratio))
    if width_px > MAX_WIDTH_PX:
        return FittedLine(resize_line(image, height_px, MAX_WIDTH_PX), MAX_WIDTH_PX)
    line_px = max(1, min(width_px, math.ceil(height_px * ratio)))
    return FittedLine(resize_line(image, height_px, line_px), width_px)


def like_batches(lines: Iterable[FittedLine], size: int) -> Iterator[np.ndarray]:
    """Batches (B, 3, H, W) float32 of at most `size` lines of one height, narrow ones first, as wide as the widest."""
    ordered = sorted(lines, key=lambda line: line.canvas_size_px[::-1])
    for _, group in groupby(ordered, key=lambda line: line.image.shape[0]):
        same_height = list(group)
        for start in range(0, len(same_height), size):
            part = same_height[start : start + size]
            yield to_canvas([line.image for line in part], part[-1].canvas_px)


class LineReader:
    """Reads lines with any engine: a list of BGR pictures → [(text, confidence), ...].

    Args:
        engine: computes probabilities.
        charset: the characters of its classes.
        canvas: what lines are laid on.
        batch_size: lines computed at a time, fewer of wide ones.
        decoding: "ctc" or "attention".
        turned: read lines turned as well, and keep a turned reading that is surer by more than this margin in [0, 1];
            None reads them upright only. See `turned`.

    Attributes:
        spread: the number of workers that a piece's batches are cut for, on which the last digits of a confidence
            depend; by default the engine's.
    """

    def __init__(
        self,
        engine: Engine,
        charset: Charset,
        canvas: Canvas,
        batch_size: int = 16,
        decoding: str = "ctc",
        turned: float | None = None,
    ):
        if batch_size < 1:
            raise InputError(f"The batch size {batch_size} must be at least 1.")
        self.engine = engine
        self.charset = charset
        self.canvas = canvas
        self.batch_size = batch_size
        self.decoding = decoding
        self.decode = GREEDY_DECODERS[decoding]
        self.turned = checked_margin(turned)
        self.spread = engine.workers

    def __call__(
        self, images: Sequence[np.ndarray], on_lines: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Reads lines, in the order given.

        Args:
            images: (H, W, 3) uint8 each, blue first, of any size.
            on_lines: called after each batch with its number of lines.

        Returns:
            Text and confidence of each; see `decode.ctc_greedy`.

        Raises:
            InputError: an array has another shape or type.
        """
        for index, image in enumerate(images):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
                raise InputError(
                    f"Image {index} is {image.dtype} of shape {image.shape}; a line is (height, width, 3) of uint8, "
                    "blue first, as cv2.imread gives it."
                )
        return self.read([self.fit(image) for image in images], on_lines)

    def fit(self, image: np.ndarray) -> FittedLine:
        """See fit_line."""
        line = fit_line(image, self.canvas)
        if self.turned is None:
            return line
        return replace(line, sideways=tuple(fit_line(view, self.canvas) for view in sideways(image)))

    def read(
        self, lines: Sequence[FittedLine], on_lines: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Reads fitted lines, in the order given; see __call__."""
        (results,) = self.read_pieces([lines], on_lines)
        return results

    def read_pieces(
        self, pieces: Iterable[Sequence[FittedLine]], on_lines: Callable[[int], object] = lambda count: None
    ) -> Iterator[list[tuple[str, float]]]:
        """Reads pieces of fitted lines and yields what `read` gives for each.

        With several workers the next piece is begun before the current one is done, so that no worker waits.
        """
        if self.turned is None:
            yield from self._read_upright(pieces, on_lines)
            return
        begun: deque[Sequence[FittedLine]] = deque()

        def remembered() -> Iterator[Sequence[FittedLine]]:
            for lines in pieces:
                begun.append(lines)
                yield lines

        for results in self._read_upright(remembered(), on_lines):
            self._read_turned(begun.popleft(), results)
            yield results

    def _read_turned(self, lines: Sequence[FittedLine], results: list[tuple[str, float]]) -> None:
        """Reads the doubtful lines of a piece turned; puts readings that are surer into `results`."""
        doubtful = [i for i, (_, confidence) in enumerate(results) if can_be_beaten(confidence, self.turned)]
        views = [(FittedLine(upside_down(lines[i].image), lines[i].canvas_px), *lines[i].sideways) for i in doubtful]
        (readings,) = self._read_upright([[view for of_line in views for view in of_line]], lambda count: None)
        read = iter(readings)
        for i, of_line in zip(doubtful, views, strict=True):
            results[i] = surest(results[i], list(islice(read, len(of_line))), self.turned)

    def _read_upright(
        self, pieces: Iterable[Sequence[FittedLine]], on_lines: Callable[[int], object]
    ) -> Iterator[list[tuple[str, float]]]:
        """`read_pieces` of lines as they are."""
        if self.engine.workers == 1:  # in this thread: not every engine may be used in others
            for lines in pieces:
                results = [("", 0.0)] * len(lines)
                for batch in self._batches(lines):
                    on_lines(self._read_batch(lines, batch, results))
                yield results
            return
        workers = ThreadPoolExecutor(self.engine.workers)
        begun: deque[tuple[list[tuple[str, float]], list[Future[int]]]] = deque()

        def oldest() -> list[tuple[str, float]]:
            results, batches = begun.popleft()
            for batch in batches:
                on_lines(batch.result())
            return results

        try:
            for lines in pieces:
                results = [("", 0.0)] * len(lines)
                batches = [workers.submit(self._read_batch, lines, batch, results) for batch in self._batches(lines)]
                begun.append((results, batches))
                if len(begun) == PIECES_BEGUN:
                    yield oldest()
            while begun:
                yield oldest()
        finally:
            workers.shutdown(cancel_futures=True)

    def _read_batch(
        self, lines: Sequence[FittedLine], batch: tuple[int, list[int]], results: list[tuple[str, float]]
    ) -> int:
        """Reads one of a piece's `_batches` into the piece's results; returns the number of lines."""
        canvas_px, members = batch
        texts = self._run(to_canvas([lines[i].image for i in members], canvas_px))
        for i, text in zip(members, texts, strict=True):
            results[i] = text
        return len(members)

    def _batches(self, lines: Sequence[FittedLine]) -> list[tuple[int, list[int]]]:
        """Canvas width in pixels and members of each batch; the largest come first, so that workers finish together."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, line in enumerate(lines):
            groups.setdefault(line.canvas_size_px, []).append(index)
        share = math.ceil(len(lines) / self.spread)  # a few lines of one width are spread over the workers, too
        batches = []
        for (canvas_px, _), members in groups.items():
            # so many pixels per batch that memory stays the same for wide lines
            budget_px = FULL_BATCH_WIDTHS * self.batch_size * max(self.canvas.width_px, LEAST_BUDGET_WIDTH_PX)
            size = max(1, min(self.batch_size, budget_px // canvas_px, share))
            batches += [(canvas_px, members[start : start + size]) for start in range(0, len(members), size)]
        return sorted(batches, key=lambda batch: -batch[0] * len(batch[1]))

    def probabilities(self, line: FittedLine) -> np.ndarray:
        """What the network computes on one fitted line: (T, C) float32 probabilities of the classes of every step."""
        return self._compute(to_canvas([line.image], line.canvas_px))[0]

    def rectified(self, line: FittedLine) -> np.ndarray | None:
        """The line as a rectifier hands it to the rest of the network, (H, W, 3) uint8 BGR; None if none is known."""
        return None

    def _run(self, batch: np.ndarray) -> list[tuple[str, float]]:
        return self.decode(self._compute(batch), self.charset, probabilities=True)

    def _compute(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 → (B, T, C) probabilities of classes that the dictionary has."""
        probabilities = self.engine.run(batch)
        classes = probabilities.shape[2] - CLASSES_BEYOND_CTC[self.decoding]
        # a network trained without the space lacks the class that every reader appends
        if not self.charset.num_classes - 1 <= classes <= self.charset.num_classes:
            raise InputError(
                f"The network has {classes} classes and its dictionary {self.charset.num_classes} with blank and "
                "space: the character list is another network's."
            )
        return probabilities
