"""Figures on results: accuracy by group, confused characters, confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scenetext.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SERIES,
    counted,
    interval_errors,
    new_figure,
    text_fonts,
    visible,
)

BINS = 25


def accuracy_by_group(panels: Mapping[str, Mapping[str, Mapping[str, Sequence[Any]]]]) -> Figure:
    """Normalised accuracy by group with 95 % intervals, several networks side by side.

    Args:
        panels: by the name of the axis and by the name of the network, columns `group`, `lines`, `normalised`, `low`,
            `high` (the last three in [0, 1]); the groups of one panel are the same for every network.
    """
    figure, axes = new_figure(len(panels))
    for panel, (axis, networks) in zip(axes, panels.items(), strict=True):
        spread = 0.14 * (len(networks) - 1)
        for shift, colour, (name, table) in zip(
            np.linspace(-spread, spread, len(networks)), SERIES, networks.items(), strict=False
        ):
            value, low, high = (100 * np.asarray(table[key], float) for key in ("normalised", "low", "high"))
            errors = interval_errors(value, low, high)
            x = np.arange(len(value)) + shift
            panel.errorbar(x, value, errors, fmt="o", color=colour, markersize=4, capsize=2, linewidth=1, label=name)
        ticks = [f"{group}\n{lines:,}" for group, lines in zip(table["group"], table["lines"], strict=True)]
        panel.set_xticks(range(len(ticks)), ticks, fontsize=8)
        panel.set(xlabel=f"{axis} (below: lines)", ylabel="lines read right, normalised, %", ylim=(0, 104))
        panel.grid(axis="y", linewidth=0.3)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def confusion_bars(
    expected: Sequence[str], read: Sequence[str], counts: Sequence[int], forgiven: Sequence[bool]
) -> Figure:
    """The most frequent confusions of characters, from left to right in the given order.

    Args:
        expected: characters of the labels, "" for an insertion.
        read: characters read, "" for a deletion.
        counts: how often each pair occurred.
        forgiven: whether the normalised score ignores the pair.
    """
    figure, (panel,) = new_figure(1, height_in=2.8)
    names = [f"{visible(a) or '∅'}\n↓\n{visible(b) or '∅'}" for a, b in zip(expected, read, strict=True)]
    colours = [GREY if free else BLUE for free in forgiven]
    panel.bar(range(len(names)), counts, color=colours)
    panel.set_xticks(range(len(names)), names, family=text_fonts(), fontsize=10)
    panel.tick_params(axis="x", length=0)
    counted(panel)
    panel.set(xlabel="label ↓ read (∅: nothing; grey: only width, case or white space differs)", ylabel="occurrences")
    panel.margins(x=0.01)
    return figure


def confidence(test: Sequence[float], right: Sequence[float] = (), wrong: Sequence[float] = ()) -> Figure:
    """Histograms of confidences: of the test lines and, if given, of validation lines read right and wrong.

    Args:
        test: confidences in [0, 1] of the test lines.
        right, wrong: confidences of validation lines that were read right and wrong; without both, one panel is drawn.
    """
    known = len(right) + len(wrong) > 0
    figure, axes = new_figure(2 if known else 1)
    bins = np.linspace(0, 1, BINS + 1)
    mean = float(np.mean(test))
    axes[0].hist(test, bins=bins, color=BLUE)
    axes[0].axvline(mean, color=ORANGE, label=f"mean {mean:.3f}")
    axes[0].set(xlabel="confidence", ylabel="test lines", yscale="log", xlim=(0, 1))
    axes[0].legend(frameon=False, loc="upper left")
    if known:
        axes[1].hist(right, bins=bins, histtype="step", color=GREEN, linewidth=1.8, label=f"{len(right):,} read right")
        axes[1].hist(wrong, bins=bins, histtype="step", color=RED, linewidth=1.8, label=f"{len(wrong):,} read wrong")
        axes[1].set(xlabel="confidence", ylabel="validation lines", yscale="log", xlim=(0, 1))
        axes[1].legend(frameon=False, loc="upper left")
    for panel in axes:
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def reliability(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """How many lines are right at each confidence, with 95 % intervals; a calibrated reader is on the diagonal.

    Args:
        bins: each with `confidence` (the lines' mean), `accuracy`, `low`, `high`, all in [0, 1], and `lines`.
    """
    figure, (panel,) = new_figure(1)
    confidence, value, low, high = (
        100 * np.array([row[key] for row in bins], float) for key in ("confidence", "accuracy", "low", "high")
    )
    panel.plot((0, 100), (0, 100), color=GREY, linestyle="--", linewidth=1, label="calibrated")
    errors = interval_errors(value, low, high)
    panel.errorbar(confidence, value, errors, fmt="o-", color=BLUE, markersize=4, capsize=2, elinewidth=0.8)
    for x, y, row in zip(confidence, value, bins, strict=True):
        beside = (4, -10 if y > 10 else 4)  # points; not among the numbers of the axis below
        panel.annotate(f"{row['lines']:,}", (x, y), xytext=beside, textcoords="offset points", fontsize=7)
    panel.set(xlabel="confidence, % (numbers: lines)", ylabel="lines read right, %", xlim=(0, 104), ylim=(0, 104))
    panel.legend(frameon=False, loc="upper left")
    return figure
