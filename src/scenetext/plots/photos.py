"""A photo with the outlines of its texts, and beside it the texts in their places."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenetext.synth.fonts import cjk_font_path

DRAWN_SIDE_PX = 1600  # of a drawn photo; larger ones are made smaller
OUTLINE_PX = 2
COLOURS = ((155, 111, 42), (26, 115, 217), (79, 143, 63), (30, 38, 179))  # of `style`, blue first
TALL = 1.5  # a box of so many widths holds its text one character below the other
LETTER_PX, MARGIN_PX = 48, 4  # size at which a text is set, before it is laid into its box


def draw_photo(image: np.ndarray, outlines: Sequence[np.ndarray], texts: Sequence[str]) -> np.ndarray:
    """Draws the outlines on a photo, and on white to its right the texts.

    Args:
        image: (H, W, 3) uint8, blue first.
        outlines: (N, 2) of each text, x and y in pixels.
        texts: of each outline.

    Returns:
        (h, 2 w, 3) uint8, blue first, h and w at most DRAWN_SIDE_PX and with the proportions of H and W.
    """
    scale = min(1.0, DRAWN_SIDE_PX / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    photo = image.copy() if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    page = np.full_like(photo, 255)
    for number, (outline, text) in enumerate(zip(outlines, texts, strict=True)):
        points, colour = np.asarray(outline, np.float64) * scale, COLOURS[number % len(COLOURS)]
        for canvas in (photo, page):
            cv2.polylines(canvas, [points.round().astype(np.int32)], True, colour, OUTLINE_PX, cv2.LINE_AA)
        if text:
            _write(page, points, text)
    return np.hstack([photo, page])


def _write(page: np.ndarray, outline: np.ndarray, text: str) -> None:
    """Lays a text into an outline with four corners, or into the rectangle around any other one."""
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    corners = outline if len(outline) == 4 else np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    width, height = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    letters = _set(text, height >= TALL * width, height / max(width, 1.0))
    (low_x, low_y), (high_x, high_y) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    low_x, low_y = max(0, int(low_x)), max(0, int(low_y))
    part = page[low_y : int(high_y) + 1, low_x : int(high_x) + 1]
    if not part.size:
        return
    size = letters.shape[::-1]
    source = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    onto = cv2.getPerspectiveTransform(source, (corners - (low_x, low_y)).astype(np.float32))
    laid = cv2.warpPerspective(letters, onto, part.shape[1::-1], flags=cv2.INTER_AREA, borderValue=255)
    np.minimum(part, laid[:, :, None], out=part)


def _set(text: str, is_tall: bool, ratio: float) -> np.ndarray:
    """(h, w) uint8, black letters on white, in the proportions of a box whose height is `ratio` times its width."""
    lines = "\n".join(text) if is_tall else text
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), lines, font=_font())
    text_width, text_height = right - left, bottom - top
    width, height = round(text_width) + 2 * MARGIN_PX, round(max(text_height, LETTER_PX)) + 2 * MARGIN_PX
    width, height = max(width, round(height / ratio)), max(height, round(width * ratio))
    canvas = Image.new("L", (width, height), 255)
    x = (width - text_width) / 2 if is_tall else MARGIN_PX
    at = (x - left, (height - text_height) / 2 - top)
    ImageDraw.Draw(canvas).multiline_text(at, lines, fill=0, font=_font(), align="center")
    return np.asarray(canvas)


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(cjk_font_path()), LETTER_PX)
