"""Figures on what a network looked at: CTC's alignment over the picture, and attention over it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from scenetext.plots.sheets import CAPTION_PT, SHEET_PX, contact_sheet, cut_caption
from scenetext.plots.style import DPI, GREY, SERIES, new_figure, show_spaces, text_fonts, visible

PICTURE_IN, TALLEST_IN = 1.2, 1.8  # usual and largest height of the picture
WIDTHS_IN = (3.6, 13.0)  # of the picture, which keeps its proportions within them
BARS_IN = 1.7  # height of all between the picture and the axis
MARGINS_IN = (0.8, 0.7)  # of the figure, for labels and title
STEP_LABEL_IN, PADDING_LABEL_IN = 0.11, 0.7  # narrower steps get no sign for a blank, narrower padding no name
BLANK_SIGN = "–"
PALE = 0.45  # opacity of repetitions
PICTURE_AT, SIGNS_AT = 1.32, 1.16  # heights above the bars, in units of the probability's axis
HEAT = 0.55  # opacity of the strongest attention


def ctc_alignment(
    picture: np.ndarray,
    edges_px: np.ndarray,
    characters: Sequence[str],
    probabilities: np.ndarray,
    kept: np.ndarray,
    title: str = "",
) -> Figure:
    """CTC's best path beneath its picture: what each step says and how surely, and which steps give the text.

    A step has a bar as high as the probability of its likeliest class, with the character above it. Blanks are grey.
    A kept step and the strip of the picture above it have a colour; its repetitions, which are merged with it, are
    paler. Steps beyond the picture read padding.

    Args:
        picture: (H, W, 3) uint8 BGR.
        edges_px: (T + 1,), edges of the steps in pixels of the picture.
        characters: T, "" for the blank.
        probabilities: (T,) in [0, 1].
        kept: (T,) bool, the steps that give a character.
        title: above the picture, such as the text and its label; a long one is cut.
    """
    height_px, width_px = picture.shape[:2]
    canvas_px = float(edges_px[-1])
    end_px = max(canvas_px, width_px)
    width_in = float(np.clip(PICTURE_IN * end_px / height_px, *WIDTHS_IN))
    picture_in = min(width_in * height_px / end_px, TALLEST_IN)
    figure, (panel,) = new_figure(1, width_in + MARGINS_IN[0], picture_in + BARS_IN + MARGINS_IN[1])
    top = PICTURE_AT * (1 + picture_in / BARS_IN)
    panel.imshow(picture[:, :, ::-1], extent=(0, width_px, PICTURE_AT, top), aspect="auto", interpolation="bilinear")
    _draw_steps(panel, edges_px, characters, probabilities, kept, (PICTURE_AT, top), width_in / end_px)
    if canvas_px > width_px:
        panel.axvspan(width_px, canvas_px, color=GREY, alpha=0.15, linewidth=0)
        if (canvas_px - width_px) * width_in / end_px >= PADDING_LABEL_IN:
            panel.text((width_px + canvas_px) / 2, (PICTURE_AT + top) / 2, "padding", ha="center", va="center")
    panel.set(xlim=(0, end_px), ylim=(0, top), yticks=(0, 0.5, 1), xlabel="picture, pixels", ylabel="probability")
    panel.yaxis.set_label_coords(-0.5 / width_in, 0.5 / top)
    panel.spines["left"].set_bounds(0, 1)
    if title:
        shown = cut_caption(title, round(width_in * DPI))
        panel.set_title(shown, family=text_fonts(), fontsize=CAPTION_PT, loc="left", parse_math=False)
    return figure


def _draw_steps(
    panel: Axes,
    edges_px: np.ndarray,
    characters: Sequence[str],
    probabilities: np.ndarray,
    kept: np.ndarray,
    picture_at: tuple[float, float],
    inches_per_px: float,
) -> None:
    """The bars, their signs, and the coloured strips of the picture."""
    number = np.cumsum(kept)  # of the character that a step belongs to, from 1
    colours = [SERIES[(i - 1) % (len(SERIES) - 1)] if c else GREY for c, i in zip(characters, number, strict=True)]
    opacities = [1.0 if is_kept else PALE for is_kept in kept]  # the last of SERIES is grey itself
    widths = np.diff(edges_px)
    faces = [to_rgba(colour, opacity) for colour, opacity in zip(colours, opacities, strict=True)]
    panel.bar(edges_px[:-1], probabilities, widths, align="edge", color=faces, edgecolor="white")
    for step, character in enumerate(characters):
        colour, opacity, middle = colours[step], opacities[step], edges_px[step] + widths[step] / 2
        if character:
            ends = edges_px[step : step + 2]
            panel.fill_between(ends, *picture_at, color=colour, alpha=0.35 * opacity, linewidth=0)
        if character or widths[step] * inches_per_px >= STEP_LABEL_IN:
            style = {"color": colour, "alpha": opacity, "fontsize": 10, "family": text_fonts()}
            sign = visible(character) if character else BLANK_SIGN
            panel.text(middle, SIGNS_AT, sign, ha="center", va="center", **style)


def attention_maps(
    picture: np.ndarray, width_px: float, characters: Sequence[str], maps: np.ndarray, sheet_px: int = SHEET_PX
) -> Figure:
    """The picture once for every character, brighter where the network attended to when it read that character.

    Args:
        picture: (H, W, 3) uint8 BGR.
        width_px: the width that the maps cover, padding at the right included, in pixels of the picture.
        characters: N.
        maps: (N, h, w) weights that are not negative.
        sheet_px: width of the figure.
    """
    return contact_sheet(
        [_heated(picture, width_px, weights) for weights in maps], [show_spaces(c) for c in characters]
    )


def _heated(picture: np.ndarray, width_px: float, weights: np.ndarray) -> np.ndarray:
    """The picture under a red veil that is as dense as the weights, (H, W, 3) uint8 BGR."""
    height, width = picture.shape[:2]
    size = (max(width, round(width_px)), height)
    heat = cv2.resize(np.asarray(weights, np.float32), size, interpolation=cv2.INTER_LINEAR)[:, :width, None]
    heat = HEAT * heat / max(float(weights.max()), 1e-12)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return (grey * (1 - heat) + np.array([30.0, 30.0, 230.0]) * heat).astype(np.uint8)
