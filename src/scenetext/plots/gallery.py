"""Galleries of lines: each crop with its label and what was read, the characters coloured by edit operation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from scenetext.plots.sheets import (
    CAPTION_PT,
    CAPTION_PX,
    GAP_PX,
    LINE_PX,
    SHEET_PX,
    at_line_height,
    canvas_figure,
    cut_caption,
    text_width_px,
    write_caption,
)
from scenetext.plots.style import BLUE, DPI, ORANGE, RED, show_spaces, text_fonts

EDIT_COLOURS = {"equal": "black", "replace": RED, "delete": ORANGE, "insert": BLUE}
PICTURE_SHARE = 0.55  # of the sheet's width, at most
ROW_PX = max(LINE_PX, 2 * CAPTION_PX) + GAP_PX
BEARING_PX = 1.5  # between the ink of two characters
NAMES_PX = 52  # "label" and "read"

Script = Sequence[tuple[str, str, str]]
"""One line's edits: (kind, character of the label or "", character read or ""); see `evaluate.edit_script`."""


def line_gallery(
    images: Sequence[np.ndarray], scripts: Sequence[Script], notes: Sequence[str], width_px: int = SHEET_PX
) -> Figure:
    """One row per line: the crop at the left; at the right its label and beneath it what was read.

    Replaced characters are red, missed ones orange (in the label) and those that are not in the label blue (in what was
    read). Spaces are shown as signs.

    Args:
        images: (H, W, 3) uint8 BGR each.
        scripts: the edits of each line.
        notes: behind what was read, such as the confidence.
        width_px: of the sheet.
    """
    crops = [at_line_height(image, int(PICTURE_SHARE * width_px)) for image in images]
    left = max((crop.shape[1] for crop in crops), default=0) + 2 * GAP_PX
    canvas = np.full((max(1, ROW_PX * len(crops)), width_px, 3), 255, np.uint8)
    for row, crop in enumerate(crops):
        canvas[row * ROW_PX : row * ROW_PX + crop.shape[0], : crop.shape[1]] = crop
    figure, panel = canvas_figure(canvas)
    for row, (script, note) in enumerate(zip(scripts, notes, strict=True)):
        y, most_px = row * ROW_PX + 2, width_px - text_width_px(note) - GAP_PX
        _write_coloured(panel, left, y, width_px, "label", [(kind, expected) for kind, expected, _ in script])
        read = [(kind, character) for kind, _, character in script]
        end = _write_coloured(panel, left, y + CAPTION_PX, most_px, "read", read)
        write_caption(panel, end + GAP_PX, y + CAPTION_PX, note, "grey")
    return figure


def _write_coloured(
    panel: Axes, x: float, y: float, most_px: float, name: str, characters: Sequence[tuple[str, str]]
) -> float:
    """Writes characters in the colours of their edits behind a name, up to `most_px`; returns where they end."""
    write_caption(panel, x, y, name, "grey")
    x += NAMES_PX
    shown = [(kind, show_spaces(character)) for kind, character in characters if character] or [("replace", "∅")]
    for kind, run in groupby(shown, key=itemgetter(0)):
        whole = "".join(character for _, character in run)
        text = cut_caption(whole, int(most_px - x) - text_width_px("…"))
        write_caption(panel, x, y, text, EDIT_COLOURS[kind])
        x += _drawn_width_px(text)
        if text != whole:
            break
    return x


def _drawn_width_px(text: str) -> float:
    """The width of a text as it is drawn; `text_width_px` is an estimate."""
    properties = FontProperties(family=text_fonts(), size=CAPTION_PT)
    return text_to_path.get_text_width_height_descent(text, properties, False)[0] * DPI / 72 + BEARING_PX
