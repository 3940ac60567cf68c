"""Figures that lay readers or runs side by side: gains with their intervals, learning curves of two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scenetext.plots.style import GREEN, GREY, RED, SERIES, interval_errors, new_figure, wilson_interval


def gains(rows: Mapping[str, tuple[float, float, float]], axis: str = "gain, points") -> Figure:
    """Differences of two accuracies with their intervals; one whose interval holds 0 is grey.

    Args:
        rows: by name, value and both ends of the interval, ratios in [-1, 1]; without any, the figure says so.
        axis: what the differences are.
    """
    figure, (panel,) = new_figure(1, height_in=1.1 + 0.55 * max(1, len(rows)))
    for row, (value, low, high) in enumerate(rows.values()):
        colour = GREEN if low > 0 else RED if high < 0 else GREY
        errors = 100 * interval_errors(np.array([value]), np.array([low]), np.array([high]))
        panel.errorbar([100 * value], [row], xerr=errors, fmt="o", color=colour, capsize=4, markersize=7)
        panel.annotate(
            f"{100 * value:+.1f}  [{100 * low:+.1f}, {100 * high:+.1f}]",
            (100 * value, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(max(1, len(rows))), list(rows) or ["no two readings of the same lines"])
    panel.set(xlabel=f"{axis}, with 95 % interval (grey: it holds 0)", ylim=(max(1, len(rows)) - 0.5, -0.6))
    panel.margins(x=0.15)
    return figure


def run_curves(runs: Mapping[str, Mapping[str, Sequence[Any]]], lines: Mapping[str, int]) -> Figure:
    """Loss and validation accuracy of several runs.

    Args:
        runs: by name, columns `epoch_of_loss`, `loss`, `epoch`, `normalised`.
        lines: the number of validation lines, by the same names.
    """
    figure, (left, right) = new_figure(2)
    for colour, (name, own) in zip(SERIES, runs.items(), strict=False):
        left.plot(own["epoch_of_loss"], own["loss"], color=colour, label=name)
        value = np.asarray(own["normalised"], float)
        errors = 100 * interval_errors(value, *wilson_interval(value, lines[name]))
        style = {"color": colour, "markersize": 4, "capsize": 2, "elinewidth": 0.8}
        right.errorbar(own["epoch"], 100 * value, errors, fmt="o-", label=name, **style)
    left.set(xlabel="epoch", ylabel="loss per line, nats", ylim=(0, 1.08 * left.get_ylim()[1]))
    right.set(xlabel="epoch", ylabel="lines read right, normalised, %")
    right.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    return figure
