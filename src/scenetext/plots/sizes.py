"""Figures on a model's bytes: bytes of each part, bits of each weight, accuracy by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenetext.plots.style import BLUE, GREY, ORANGE, SERIES, interval_errors, new_figure, wilson_interval

NARROWEST_BAR = 1 / 500  # of all weights: narrower bars cannot be seen


def bytes_by_part(parts: Mapping[str, Mapping[str, int]], budget_bytes: int | None = None) -> Figure:
    """Bytes of each part of a network, as one stacked bar per stage.

    Args:
        parts: bytes by stage and by part of the network; a part that a stage lacks counts as 0.
        budget_bytes: is marked if given.
    """
    figure, (panel,) = new_figure(1, height_in=1.4 + 0.5 * len(parts))
    stages = list(parts)
    left = np.zeros(len(stages))
    for index, part in enumerate(dict.fromkeys(name for stage in parts.values() for name in stage)):
        sizes = np.array([parts[stage].get(part, 0) / 1e6 for stage in stages])
        panel.barh(stages, sizes, left=left, color=SERIES[index % len(SERIES)], height=0.6, label=part)
        left += sizes
    for row, total in enumerate(left):
        panel.text(total, row, f" {total:.2f}", va="center")
    if budget_bytes is not None:
        panel.axvline(budget_bytes / 1e6, color="black", linestyle="--", linewidth=1, label="budget")
    panel.invert_yaxis()
    panel.set(xlabel="1,000,000 bytes", xlim=(0, 1.12 * max(left.max(), (budget_bytes or 0) / 1e6)))
    panel.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))  # more columns do not fit a page
    return figure


def bits_by_layer(keys: Sequence[str], bits: Mapping[str, Sequence[float]], numbers: Sequence[int]) -> Figure:
    """Bits per weight of each tensor, in the order of the network; the width of a bar is its number of weights.

    Args:
        keys: names of the tensors; the first part of a name gives the colour.
        bits: per weight, scales included, of each tensor; a panel for each plan, by its name.
        numbers: weights of each tensor.
    """
    figure, panels = new_figure(len(bits))
    for panel, (name, own) in zip(panels, bits.items(), strict=True):
        _draw_bits(panel, keys, np.asarray(own, float), numbers)
        panel.set_xlabel(f"{name}: millions of weights, in the order of the layers")
    top = max(panel.get_ylim()[1] for panel in panels)
    for panel in panels:
        panel.set_ylim(0, top)
        panel.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def _draw_bits(panel: Axes, keys: Sequence[str], bits: np.ndarray, numbers: Sequence[int]) -> None:
    edges = np.concatenate([[0.0], np.cumsum(numbers)]) / 1e6
    parts = [key.split(".")[0] for key in keys]
    for index, part in enumerate(dict.fromkeys(parts)):
        own = [i for i, name in enumerate(parts) if name == part]
        widths = [edges[i + 1] - edges[i] for i in own]
        colour = SERIES[index % len(SERIES)]
        panel.bar(edges[own], bits[own], widths, align="edge", color=colour, edgecolor="white", label=part)
    mean = float(np.average(bits, weights=numbers)) if len(bits) else 0.0
    panel.axhline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.2f}")
    seen = [value for value, number in zip(bits, numbers, strict=True) if number > NARROWEST_BAR * sum(numbers)]
    panel.set(
        ylabel="bits per weight",
        xlim=(0, edges[-1] or 1),
        ylim=(0, 1.1 * max([*seen, mean]) or 1),  # and not up to the 32 bits of tensors that are too narrow to be seen
    )


def accuracy_by_size(
    curve: Sequence[Mapping[str, Any]], chosen_bytes: int | None = None, lines: int | None = None
) -> Figure:
    """Accuracy over size, one point per budget; without budgets, a figure that says so.

    Args:
        curve: rows of an export's report: `max_mb` (None for float32), `size_bytes`, `bits`, `normalised`.
        lines: the number of lines that were read; if given, each point has its 95 % interval (Wilson).
        chosen_bytes: size of the exported model, which is marked if given.
    """
    figure, (panel,) = new_figure(1)
    panel.set(xlabel="program and parameters, 1,000,000 bytes", ylabel="lines read right, normalised, %")
    if not curve:
        panel.set(xticks=[], yticks=[])
        panel.text(0.5, 0.5, "no budgets were asked for", ha="center", transform=panel.transAxes)
        return figure
    size = [row["size_bytes"] / 1e6 for row in curve]
    value = [100 * row["normalised"] for row in curve]
    panel.plot(size, value, color=BLUE, marker="o", markersize=5)
    if lines:
        ratios = np.array(value) / 100
        errors = 100 * interval_errors(ratios, *wilson_interval(ratios, lines))
        panel.errorbar(size, value, errors, fmt="none", color=BLUE, capsize=2, elinewidth=0.8, label="95 % interval")
    for x, y, row in zip(size, value, curve, strict=True):
        name = "float32" if row["max_mb"] is None else f"{row['bits']:.1f} bits"
        side = {"xytext": (0, 7), "ha": "right"} if row["max_mb"] is None else {"xytext": (5, -11), "ha": "left"}
        panel.annotate(name, (x, y), textcoords="offset points", fontsize=8, **side)
    panel.axhline(value[-1], color=GREY, linewidth=0.8)
    if chosen_bytes is not None:
        panel.axvline(chosen_bytes / 1e6, color=ORANGE, linestyle="--", linewidth=1, label="exported")
    if lines or chosen_bytes is not None:
        panel.legend(frameon=False, loc="lower right")
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    panel.xaxis.set_minor_formatter(lambda x, _: f"{x:g}")
    panel.tick_params(axis="x", which="both", labelsize=8)
    panel.margins(y=0.15)
    return figure
