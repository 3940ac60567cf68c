"""Figures on the text lines: their widths, lengths and characters, and the effect of canvases of limited width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from scenetext.plots.style import BLUE, GREEN, GREY, ORANGE, RED, counted, new_figure, text_fonts, visible

MOST_FREQUENT = 28


def line_sizes(widths_px: Sequence[float], lengths: Sequence[int], canvas_px: int, height_px: int) -> Figure:
    """Histograms of line widths and of label lengths.

    Args:
        widths_px: widths of the lines when scaled to `height_px`.
        lengths: characters of each label.
        canvas_px: width of the usual fixed canvas, which is marked.
        height_px: shown in the axis label.
    """
    figure, (widths, characters) = new_figure(2)
    widths_px = np.asarray(widths_px, float)
    top = max(canvas_px * 1.2, float(np.percentile(widths_px, 99.5)))
    widths.hist(np.minimum(widths_px, top), bins=60, range=(0, top), color=BLUE)
    wider = float((widths_px > canvas_px).mean())
    widths.axvline(canvas_px, color=RED, linewidth=1.2, label=f"canvas of {canvas_px} px: {wider:.1%} are wider")
    widths.set(xlabel=f"width at height {height_px}, pixels (the last bar: and more)", ylabel="lines")
    widths.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98))
    lengths = np.asarray(lengths)
    characters.hist(lengths, bins=np.arange(0.5, lengths.max() + 1), color=BLUE)
    middle = float(np.median(lengths))
    characters.axvline(middle, color=ORANGE, linewidth=1.2, label=f"median {middle:g}, longest {lengths.max()}")
    characters.set(xlabel="label length, characters", ylabel="lines")
    characters.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98))
    for panel in (widths, characters):
        counted(panel)
    return figure


def character_counts(counts: Mapping[str, int]) -> Figure:
    """Occurrences of all characters by rank, and of the most frequent ones by name.

    Args:
        counts: occurrences by character.
    """
    figure, (ranks, names) = new_figure(2)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    values = np.array([count for _, count in ordered])
    ranks.loglog(np.arange(1, len(values) + 1), values, color=BLUE)
    rare = int((values < 10).sum())
    ranks.axhline(10, color=ORANGE, linewidth=1.0, label=f"{rare} of {len(values)} characters occur below 10 times")
    ranks.set(xlabel="rank of the character", ylabel="occurrences in the labels")
    ranks.legend(frameon=False, loc="lower left")
    shown = ordered[:MOST_FREQUENT]
    names.bar(range(len(shown)), [count for _, count in shown], color=BLUE)
    names.set_xticks(range(len(shown)), [visible(c) for c, _ in shown], family=text_fonts(), fontsize=9)
    names.tick_params(axis="x", length=0)
    names.set(xlabel=f"the {len(shown)} most frequent characters", ylabel="occurrences in the labels")
    names.margins(x=0.01)
    counted(names)
    return figure


def canvases(
    widths_px: Sequence[float],
    limits_px: Mapping[str, int],
    computed_px: Mapping[str, tuple[float, float]],
    height_px: int,
) -> Figure:
    """Compares ways of placing lines on canvases: how much wide lines are squeezed, and how much padding is added.

    Args:
        widths_px: widths of the lines when scaled to `height_px`.
        limits_px: width of the widest canvas of each way, by its name.
        computed_px: widths of text and of padding in an epoch, each summed over the lines, by the same names.
        height_px: shown in the axis label.
    """
    figure, (kept, padding) = new_figure(2)
    ordered = np.sort(np.asarray(widths_px, float))[::-1]
    percent = 100 * np.arange(1, len(ordered) + 1) / len(ordered)
    for (name, limit), colour in zip(limits_px.items(), (RED, BLUE, ORANGE, GREEN), strict=False):
        squeezed = float((ordered > limit).mean())
        label = f"{name}, at most {limit} px: {squeezed:.1%} squeezed"
        kept.plot(percent, 100 * np.minimum(1.0, limit / ordered), color=colour, label=label)
    kept.set(xlabel="lines, % (widest first)", ylabel=f"width kept at height {height_px}, %", xscale="log")
    kept.set(ylim=(0, 105), xlim=(100 / len(ordered), 100))
    kept.legend(frameon=False, loc="lower right", fontsize=9)
    names = list(computed_px)
    text, empty = (height_px * np.array([computed_px[name][part] for name in names]) / 1e6 for part in (0, 1))
    padding.barh(names, text, color=BLUE, height=0.5, label="text")
    padding.barh(names, empty, left=text, color=GREY, height=0.5, label="padding")
    for row, (used, wasted) in enumerate(zip(text, empty, strict=True)):
        padding.text(used + wasted, row, f" {wasted / (used + wasted):.0%} padding", va="center")
    padding.invert_yaxis()
    padding.set(xlabel="an epoch's canvases, million pixels", xlim=(0, 1.25 * float((text + empty).max())))
    padding.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return figure
