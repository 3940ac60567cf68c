"""The size, the colours and the fonts of all figures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenetext.synth.fonts import cjk_font_path
from scenetext.system.files import replacing

BLUE, ORANGE, GREEN, RED, GREY = "#2a6f97", "#d9731a", "#3f8f4f", "#b3261e", "#8d99ae"
SERIES = (BLUE, ORANGE, GREEN, RED, GREY)
DPI = 100


def new_figure(columns: int = 1, width_in: float = 10.0, height_in: float = 3.2) -> tuple[Figure, list[Axes]]:
    """Makes a figure with panels side by side; pyplot closes it, so that a notebook shows it only where it is named.

    Args:
        columns: number of panels.
        width_in, height_in: of the figure, in inches.

    Returns:
        The figure and its panels, from left to right.
    """
    figure, axes = plt.subplots(1, columns, figsize=(width_in, height_in), dpi=DPI, layout="constrained", squeeze=False)
    plt.close(figure)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


@cache
def text_fonts() -> list[str]:
    """Font families for texts of labels: a Chinese one first, then matplotlib's own for characters that it lacks."""
    path = str(cjk_font_path())
    font_manager.fontManager.addfont(path)
    return [font_manager.FontProperties(fname=path).get_name(), "DejaVu Sans"]


def visible(text: str) -> str:
    """Replaces spaces by visible signs and escapes the dollar sign, which starts a formula in matplotlib.

    Args:
        text: of a label.
    """
    return show_spaces(text).replace("$", r"\$")


def show_spaces(text: str) -> str:
    """Replaces spaces by visible signs.

    Args:
        text: of a label.
    """
    return text.replace("\u3000", "\u25a1").replace(" ", "\u2423")


def counted(panel: Axes) -> None:
    """Sets the ticks of a panel's vertical axis to whole numbers, written as 12,000.

    Args:
        panel: whose vertical axis shows counts.
    """
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def save(figure: Figure, path: str | Path) -> Figure:
    """Writes a figure as a PNG file, whole or not at all.

    Args:
        figure: the figure.
        path: of the file; missing folders are made.

    Returns:
        The figure, so that a notebook can show it.
    """
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=DPI)
    return figure


def interval_errors(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The lengths of error bars; negative ones, which come from rounding, become 0.

    Args:
        values: (N,).
        low, high: (N,), ends of the intervals.

    Returns:
        (2, N), below and above the values.
    """
    return np.maximum(0.0, np.stack([np.asarray(values) - low, np.asarray(high) - values]))


def wilson_interval(ratios: np.ndarray, lines: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of a ratio of lines (E. B. Wilson, JASA 1927).

    Args:
        ratios: (N,) in [0, 1].
        lines: over how many lines each ratio was taken.
    """
    weight = 1.96**2 / lines
    centre = (ratios + weight / 2) / (1 + weight)
    half = np.sqrt(weight * ratios * (1 - ratios) + weight**2 / 4) / (1 + weight)
    return centre - half, centre + half
