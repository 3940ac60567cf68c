"""Reading lines of all widths with one network, none changed by another.

A line is laid on a canvas as wide as itself and at least as wide as the network's configured canvas: PaddleX's rule, to
the pixel, so that the `paddleocr` package reads the same. Only lines of equal canvas share a batch, so what is read does
not depend on batch mates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scenetext.charset import Charset
from scenetext.data.transforms import resize_line, to_canvas
from scenetext.decode import ctc_greedy
from scenetext.errors import InputError

MAX_WIDTH_PX = 3200  # wider lines are squeezed to it, as by PaddleX
FULL_BATCH_WIDTHS = 2  # up to so many times the least width a batch holds its full number of lines
LEAST_BUDGET_WIDTH_PX = 320  # a batch may always hold the pixels of its number of lines at this width


class Engine(Protocol):
    """Computes a network."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 in [-1, 1] → (B, T, C) float32 probabilities."""


@dataclass(frozen=True, slots=True)
class FittedLine:
    """A line resized to the network's height, (H, w, 3) uint8, and the width of its canvas, at least w."""

    image: np.ndarray
    canvas_px: int


def fit_line(image: np.ndarray, height_px: int, min_width_px: int) -> FittedLine:
    """Resizes a line to the network's height.

    Args:
        image: (H, W, 3) uint8, blue first.
        height_px: the network's height.
        min_width_px: least width of the canvas.

    Returns:
        The line, squeezed where it would be wider than MAX_WIDTH_PX, on a canvas by PaddleX's arithmetic.
    """
    ratio = image.shape[1] / image.shape[0]
    canvas = int(height_px * max(min_width_px / height_px, ratio))
    if canvas > MAX_WIDTH_PX:
        return FittedLine(resize_line(image, height_px, MAX_WIDTH_PX), MAX_WIDTH_PX)
    width = max(1, min(canvas, math.ceil(height_px * ratio)))
    return FittedLine(resize_line(image, height_px, width), canvas)


class LineReader:
    """Reads lines with any engine: a list of BGR pictures → [(text, confidence), ...].

    Args:
        engine: computes probabilities.
        charset: the characters of its classes.
        height_px: the network's height.
        min_width_px: least width of the canvas.
        batch_size: lines computed at a time, fewer of wide ones.
    """

    def __init__(self, engine: Engine, charset: Charset, height_px: int, min_width_px: int, batch_size: int = 16):
        if batch_size < 1:
            raise InputError(f"The batch size {batch_size} must be at least 1.")
        self.engine = engine
        self.charset = charset
        self.height_px = height_px
        self.min_width_px = min_width_px
        self.batch_size = batch_size

    def __call__(
        self, images: Sequence[np.ndarray], on_lines: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Reads lines, in the order given.

        Args:
            images: (H, W, 3) uint8 each, blue first, of any size.
            on_lines: told after each batch how many lines it held.

        Returns:
            Text and confidence of each; see `decode.ctc_greedy`.

        Raises:
            InputError: an array is no such picture.
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
        return fit_line(image, self.height_px, self.min_width_px)

    def read(
        self, lines: Sequence[FittedLine], on_lines: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Reads fitted lines, in the order given; see __call__."""
        groups: dict[int, list[int]] = {}
        for index, line in enumerate(lines):
            groups.setdefault(line.canvas_px, []).append(index)
        results: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        for canvas, members in sorted(groups.items()):
            # so many pixels per batch that memory stays the same for wide lines
            budget_px = FULL_BATCH_WIDTHS * self.batch_size * max(self.min_width_px, LEAST_BUDGET_WIDTH_PX)
            size = max(1, min(self.batch_size, budget_px // canvas))
            for start in range(0, len(members), size):
                part = members[start : start + size]
                batch = to_canvas([lines[i].image for i in part], canvas)
                for i, result in zip(part, self._run(batch), strict=True):
                    results[i] = result
                on_lines(len(part))
        return results

    def _run(self, batch: np.ndarray) -> list[tuple[str, float]]:
        probabilities = self.engine.run(batch)  # (B, T, C)
        classes = probabilities.shape[2]
        # a network trained without the space lacks the class that every reader appends
        if not self.charset.num_classes - 1 <= classes <= self.charset.num_classes:
            raise InputError(
                f"The network has {classes} classes and its dictionary {self.charset.num_classes} with blank and "
                "space: the character list is another network's."
            )
        return ctc_greedy(probabilities, self.charset, probabilities=True)
