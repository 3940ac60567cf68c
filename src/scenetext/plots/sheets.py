"""Sheets of line images with a caption beneath each, and a photo with its texts."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenetext.plots.photos import draw_photo
from scenetext.plots.style import DPI, GREY, new_figure, text_fonts

SHEET_PX = 1100
LINE_PX = 48  # height of every image on a sheet
CAPTION_PT, CAPTION_PX = 9.0, 22  # size of the letters and height of the strip beneath an image
GAP_PX = 14


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    colours: Sequence[str] | None = None,
    width_px: int = SHEET_PX,
) -> Figure:
    """Images in rows, as many in each row as fit; they keep their proportions, and too wide ones are made smaller.

    Args:
        images: (H, W, 3) uint8 BGR each.
        captions: the text beneath each image; a caption longer than a row is cut and ends with "…".
        colours: of the captions, black by default.
        width_px: of the sheet.
    """
    colours = ["black"] * len(images) if colours is None else colours
    crops = [at_line_height(image, width_px) for image in images]
    captions = [cut_caption(caption, width_px) for caption in captions]
    places, x, y = [], 0, 0
    for crop, caption in zip(crops, captions, strict=True):
        cell = max(crop.shape[1], text_width_px(caption))
        if x and x + cell > width_px:
            x, y = 0, y + LINE_PX + CAPTION_PX + GAP_PX
        places.append((x, y))
        x += cell + GAP_PX
    canvas = np.full((y + LINE_PX + CAPTION_PX, width_px, 3), 255, np.uint8)
    for crop, (x, y) in zip(crops, places, strict=True):
        canvas[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    figure, panel = canvas_figure(canvas)
    for caption, colour, (x, y) in zip(captions, colours, places, strict=True):
        write_caption(panel, x, y + LINE_PX + 3, caption, colour)
    return figure


def variants_sheet(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], width_px: int = SHEET_PX) -> Figure:
    """One row per line: the original image, then its variants, with a caption beneath.

    Args:
        rows: (H, W, 3) uint8 BGR images, the original first in each row.
        captions: one per row.
        width_px: of the sheet; wider rows lose their last images.
    """
    height = LINE_PX + CAPTION_PX + GAP_PX
    canvas = np.full((height * len(rows), width_px, 3), 255, np.uint8)
    for index, row in enumerate(rows):
        x = 0
        for image in row:
            crop = at_line_height(image, width_px)
            if x + crop.shape[1] > width_px:
                break
            canvas[index * height : index * height + crop.shape[0], x : x + crop.shape[1]] = crop
            x += crop.shape[1] + GAP_PX
    figure, panel = canvas_figure(canvas)
    for index, caption in enumerate(captions):
        write_caption(panel, 0, index * height + LINE_PX + 3, cut_caption(caption, width_px), "black")
    for edge in range(1, len(rows)):
        panel.axhline(edge * height - GAP_PX / 2, color=GREY, linewidth=0.4)
    return figure


def photo_texts(image: np.ndarray, outlines: Sequence[np.ndarray], texts: Sequence[str]) -> Figure:
    """A photo with the outlines of its texts, and beside it the texts in their places.

    Args:
        image, outlines, texts: see `photos.draw_photo`.
    """
    return canvas_figure(draw_photo(image, outlines, texts)[:, :, ::-1])[0]


def at_line_height(image: np.ndarray, most_px: int) -> np.ndarray:
    """(H, W, 3) BGR → (at most LINE_PX, at most most_px, 3) RGB."""
    scale = min(LINE_PX / image.shape[0], most_px / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[:, :, ::-1]


def canvas_figure(canvas: np.ndarray) -> tuple[Figure, Axes]:
    """A figure that shows (H, W, 3) uint8 RGB pixel by pixel, and its only panel, whose unit is the pixel."""
    height, width = canvas.shape[:2]
    figure, (panel,) = new_figure(1, width / DPI, height / DPI)
    figure.set_layout_engine("none")
    panel.set_position((0, 0, 1, 1))
    panel.imshow(canvas, extent=(0, width, height, 0), interpolation="nearest", aspect="auto")
    panel.set_axis_off()
    return figure, panel


def write_caption(panel: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Writes a text in the captions' size, its upper left corner at (x, y)."""
    panel.text(
        x, y, text, fontsize=CAPTION_PT, family=text_fonts(), va="top", color=colour, parse_math=False, clip_on=False
    )


def text_width_px(text: str) -> int:
    """The approximate width of a caption: one em for full-width characters, slightly more than half for others."""
    em = CAPTION_PT * DPI / 72
    return int(sum(em if east_asian_width(c) in "WFA" else 0.58 * em for c in text)) + 2


def cut_caption(text: str, most_px: int) -> str:
    """A caption that is wider than a number of pixels is cut and ends with "…".

    Args:
        text: in the captions' size.
        most_px: at DPI dots per inch.
    """
    if text_width_px(text) <= most_px:
        return text
    while text and text_width_px(text + "…") > most_px:
        text = text[:-1]
    return text + "…"
