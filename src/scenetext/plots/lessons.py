"""Figures that show an idea on the student's own data: labels as classes, a network, width buckets, rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from scenetext.plots.sheets import CAPTION_PT, SHEET_PX, at_line_height, canvas_figure, cut_caption
from scenetext.plots.style import BLUE, DPI, GREEN, GREY, ORANGE, RED, new_figure, show_spaces, text_fonts

CELL_PX = 46  # of a character and its class
ROW_PX = 140  # of a line with its cells
STAGE_GAP, LEAST_HEIGHT = 0.07, 0.045  # between the maps of a network and of one, in widths of the picture
LINES_SHOWN = 8  # of a bucket


def labelled_lines(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    classes: Sequence[Sequence[int]],
    counts: Mapping[str, int],
) -> Figure:
    """Each line with its label as a network sees it: one class after the other, and how often each occurs.

    Args:
        images: (H, W, 3) uint8 BGR each.
        labels: their labels; characters beyond the sheet's width are not shown.
        classes: of each label's characters.
        counts: occurrences of each character in the training labels; a rare one is red.
    """
    height_px = ROW_PX * max(1, len(images))
    figure, panel = canvas_figure(np.full((height_px, SHEET_PX, 3), 255, np.uint8))
    names_px = 100
    for row, (image, label, ids) in enumerate(zip(images, labels, classes, strict=True)):
        crop, top = at_line_height(image, SHEET_PX), row * ROW_PX
        panel.imshow(crop, extent=(0, crop.shape[1], top + crop.shape[0], top), aspect="auto")
        for name, y in (("character", 60), ("class", 84), ("occurrences", 106)):
            panel.text(0, top + y, name, fontsize=CAPTION_PT, color=GREY, va="top")
        shown = list(zip(label, ids, strict=True))[: (SHEET_PX - names_px) // CELL_PX]
        for column, (character, number) in enumerate(shown):
            left, count = names_px + column * CELL_PX, counts.get(character, 0)
            panel.add_patch(Rectangle((left, top + 54), CELL_PX - 4, 72, facecolor="none", edgecolor=GREY))
            cell = {"ha": "center", "va": "top", "parse_math": False}
            middle = left + (CELL_PX - 4) / 2
            panel.text(middle, top + 58, show_spaces(character), fontsize=13, family=text_fonts(), **cell)
            panel.text(middle, top + 84, f"{number}", fontsize=CAPTION_PT, color=BLUE, **cell)
            panel.text(middle, top + 106, f"{count}", fontsize=CAPTION_PT, color=RED if count < 10 else GREY, **cell)
    panel.set(xlim=(0, SHEET_PX), ylim=(height_px, 0))  # each picture has set its own
    return figure


def network_stages(
    picture: np.ndarray,
    names: Sequence[str],
    parts: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    parameters: Sequence[int],
) -> Figure:
    """A network from the picture down to the logits: what each part makes of one line, and its parameters.

    Every map is drawn as wide as the picture, divided into its columns and rows, so that a cell lies beneath the part
    of the picture that it stands for. The bar at the right shows the parameters.

    Args:
        picture: (H, W, 3) uint8 BGR, what goes in.
        names, parts: of each stage; the first is the picture.
        shapes: of its output: (C, H, W) of a map, (T, D) of a sequence.
        parameters: that it learns.
    """
    heights = [_drawn_height(shape, shapes[0]) for shape in shapes]
    tops = np.concatenate([[0.0], np.cumsum([height + STAGE_GAP for height in heights])])
    figure, (panel,) = new_figure(1, 11.0, max(2.5, 5.5 * tops[-1]))
    colours = dict(zip(dict.fromkeys(parts), (GREY, BLUE, GREEN, RED, ORANGE), strict=False))
    largest = max(1, *parameters)
    for name, part, shape, number, top, height in zip(names, parts, shapes, parameters, tops, heights, strict=False):
        colour, middle = colours[part], top + height / 2
        if part == parts[0]:
            panel.imshow(picture[:, :, ::-1], extent=(0, 1, height, 0), aspect="auto", zorder=2)
        else:
            _draw_cells(panel, top, height, shape, colour)
            panel.annotate("", (0.5, top), (0.5, top - STAGE_GAP), arrowprops={"arrowstyle": "->", "color": "black"})
        told = (
            f"{shape[0]} channels, {shape[1]} x {shape[2]}" if len(shape) == 3 else f"{shape[0]} steps of {shape[1]:,}"
        )
        panel.text(1.03, middle, f"{name}\n{told}", va="center", fontsize=9, color=colour)
        if number:
            panel.add_patch(Rectangle((1.42, middle - 0.02), 0.25 * number / largest, 0.04, facecolor=colour))
            share = f" {number:,} ({number / max(1, sum(parameters)):.0%})"
            panel.text(1.42 + 0.25 * number / largest, middle, share, va="center", fontsize=8)
    panel.text(1.42, heights[0] / 2, "parameters", va="center", fontsize=9)
    panel.set(xlim=(-0.01, 1.95), ylim=(tops[-1], -0.02), xticks=[], yticks=[])
    panel.set_xlabel("from the picture at the top to the logits at the bottom", fontsize=9, loc="left")
    panel.set_ylabel("one line's maps", fontsize=9)
    panel.spines[["left", "bottom"]].set_visible(False)
    return figure


def _drawn_height(shape: tuple[int, ...], picture: tuple[int, ...]) -> float:
    """The height of a stage's map, in units of the picture's width."""
    rows = shape[1] if len(shape) == 3 else 1
    return max(LEAST_HEIGHT, rows / picture[1] * min(0.2, picture[1] / picture[2]))


def _draw_cells(panel: Axes, top: float, height: float, shape: tuple[int, ...], colour: str) -> None:
    """A map as a rectangle with its columns and rows."""
    rows, columns = (shape[1], shape[2]) if len(shape) == 3 else (1, shape[0])
    panel.add_patch(Rectangle((0, top), 1, height, facecolor=colour, alpha=0.55, edgecolor="black"))
    panel.vlines(np.arange(1, columns) / columns, top, top + height, color="white", linewidth=0.5)
    panel.hlines(top + height * np.arange(1, rows) / rows, 0, 1, color="white", linewidth=0.5)


def width_buckets(
    canvases_px: Sequence[int],
    lines: Sequence[int],
    padding: Sequence[float],
    crops: Sequence[np.ndarray],
    canvas_px: int,
) -> Figure:
    """The batches of an epoch as boxes of equal area, and one of them with its lines.

    Args:
        canvases_px: width of each batch's canvas, rising.
        lines: of each batch.
        padding: ratio of each batch's canvas that is padding.
        crops: (H, W, 3) uint8 BGR, lines of one batch at the network's height; the first ones are shown.
        canvas_px: width of that batch's canvas.
    """
    figure, (boxes, batch) = new_figure(2, 11.0, 4.0)
    left = np.concatenate([[0], np.cumsum(lines)])[:-1]
    width, empty = np.asarray(canvases_px, float), np.asarray(padding, float)
    style = {"align": "edge", "edgecolor": "white", "linewidth": 0.4}
    boxes.bar(left, width * (1 - empty), lines, color=BLUE, label="text", **style)
    boxes.bar(left, width * empty, lines, bottom=width * (1 - empty), color=ORANGE, label="padding", **style)
    boxes.set(xlabel="lines (each box is one batch)", ylabel="width of the canvas, pixels", xlim=(0, sum(lines)))
    boxes.legend(frameon=False, loc="upper left")
    shown = list(crops[:LINES_SHOWN])
    height = shown[0].shape[0]
    canvas = np.full((len(shown) * height, canvas_px, 3), (249, 226, 200), np.uint8)
    for row, crop in enumerate(shown):
        canvas[row * height : (row + 1) * height, : crop.shape[1]] = crop[:, :canvas_px, ::-1]
    batch.imshow(canvas, aspect="auto")
    batch.set(xlabel=f"a batch with a canvas of {canvas_px} pixels", ylabel=f"{len(shown)} of its lines")
    batch.set_yticks([])
    return figure


def rounding(
    weights: np.ndarray,
    rounded: Mapping[int, np.ndarray],
    images: Sequence[np.ndarray],
    readings: Mapping[int, Sequence[tuple[str, float]]],
) -> Figure:
    """What rounding does to weights, and to what the network reads.

    Args:
        weights: (N,) some weights of a channel.
        rounded: the same after rounding, by number of bits.
        images: (H, W, 3) uint8 BGR, one or more lines.
        readings: text and confidence of each line, by number of bits; first those of the unrounded network.
    """
    figure, (values, panel) = new_figure(2, 11.0, 4.2)
    at = np.arange(len(weights))
    values.scatter(at, weights, s=14, color="black", zorder=3, label="float32")
    for colour, marker, (bits, own) in zip((ORANGE, BLUE, GREEN), "_x+", rounded.items(), strict=False):
        values.scatter(at, own, s=50, marker=marker, color=colour, label=f"{bits} bits")
        if bits == min(rounded):
            values.vlines(at, np.minimum(weights, own), np.maximum(weights, own), color=colour, linewidth=0.8)
            for level in np.unique(own):
                values.axhline(level, color=colour, linewidth=0.3)
    values.set(xlabel="some weights of one channel", ylabel="value")
    values.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)
    _readings(panel, images, readings)
    return figure


def _readings(panel: Axes, images: Sequence[np.ndarray], readings: Mapping[int, Sequence[tuple[str, float]]]) -> None:
    """A column for each line: its picture, and beneath it what is read with fewer and fewer bits."""
    column, row = 200, 34
    own = [text for text, _ in next(iter(readings.values()))]
    for index, image in enumerate(images):
        crop, x = at_line_height(image, column - 20), index * column
        panel.imshow(crop, extent=(x, x + crop.shape[1], crop.shape[0], 0), aspect="auto", zorder=2)
        for number, texts in enumerate(readings.values()):
            text, confidence = texts[index]
            told = cut_caption(f"{text or '∅'} ({confidence:.2f})", round(column * 0.55 * DPI / 72))
            colour = "black" if text == own[index] else RED
            panel.text(
                x, 62 + number * row, told, fontsize=9, family=text_fonts(), va="top", color=colour, parse_math=False
            )
    ticks = [69 + number * row for number in range(len(readings))]
    panel.set_yticks(ticks, [f"{bits} bits" for bits in readings])
    panel.set(xlim=(0, column * len(images)), ylim=(62 + row * len(readings), 0), xticks=[])
    panel.set_xlabel("the line as read (red: another text than with 32 bits)", fontsize=9)
    panel.tick_params(length=0)
    panel.spines[["left", "bottom"]].set_visible(False)
