"""What all figures share: size, colours, and a font that has Chinese characters."""

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
    """A figure with panels side by side, closed for pyplot, so that a notebook shows it once: where it is named."""
    figure, axes = plt.subplots(1, columns, figsize=(width_in, height_in), dpi=DPI, layout="constrained", squeeze=False)
    plt.close(figure)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


@cache
def text_fonts() -> list[str]:
    """Font families for text from labels: Chinese first, then matplotlib's own for what that one lacks."""
    path = str(cjk_font_path())
    font_manager.fontManager.addfont(path)
    return [font_manager.FontProperties(fname=path).get_name(), "DejaVu Sans"]


def visible(text: str) -> str:
    """A text with its spaces made visible and matplotlib's sign for formulas made harmless."""
    return text.replace("\u3000", "\u25a1").replace(" ", "\u2423").replace("$", r"\$")


def counted(panel: Axes) -> None:
    """Ticks of a vertical axis of counts: whole numbers, written as 12,000."""
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def save(figure: Figure, path: str | Path) -> Figure:
    """Writes a figure as PNG, whole or not at all, and gives it back, to be shown."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=DPI)
    return figure


def interval_errors(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(2, N) lengths of error bars below and above, never negative for rounding's sake."""
    return np.maximum(0.0, np.stack([np.asarray(values) - low, np.asarray(high) - values]))
