"""Figures on speed: accuracy by latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from scenetext.plots.style import BLUE, GREY, interval_errors, new_figure, text_fonts, visible

SMALLEST_MARK, LARGEST_MARK = 40, 400  # square points, of the smallest and of the largest network


def accuracy_by_latency(networks: Sequence[Mapping[str, Any]]) -> Figure:
    """Accuracy over the time that one line takes, one point a network, with 95 % intervals; a mark's area shows bytes.

    Args:
        networks: `model` (a name), `latency_ms`, `size_bytes`, and `accuracy`, `low`, `high` in [0, 1].
    """
    figure, (panel,) = new_figure(1, width_in=8.0, height_in=4.0)
    milliseconds = np.array([each["latency_ms"] for each in networks])
    value, low, high = (
        100 * np.array([each[key] for each in networks], dtype=float) for key in ("accuracy", "low", "high")
    )
    size = np.array([each["size_bytes"] for each in networks], dtype=float)
    area = SMALLEST_MARK + (LARGEST_MARK - SMALLEST_MARK) * size / size.max()
    errors = interval_errors(value, low, high)
    panel.errorbar(milliseconds, value, errors, fmt="none", ecolor=GREY, linewidth=1, capsize=2)
    panel.scatter(milliseconds, value, area, color=BLUE, alpha=0.8, linewidth=0)
    order = np.argsort(milliseconds)
    for rank, index in enumerate(order):  # neighbours' names stand above and below in turn
        each = networks[index]
        name = f"{visible(each['model'])}, {each['size_bytes'] / 1e6:.1f} MB"
        offset = {"xytext": (4, 14 if rank % 2 else -22), "textcoords": "offset points"}
        panel.annotate(name, (milliseconds[index], value[index]), **offset, fontsize=8, family=text_fonts())
    panel.set_xscale("log")
    panel.set_xlim(milliseconds.min() / 1.3, milliseconds.max() * 2.5)  # room for the names
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set(xlabel="milliseconds for one line, the network alone", ylabel="lines read right, normalised, %")
    panel.margins(y=0.15)
    panel.grid(axis="y", linewidth=0.3)
    return figure
