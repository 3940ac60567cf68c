"""Figures of the notebooks: arrays in, a matplotlib figure out. Nothing here reads a file.

A notebook shows a figure by naming it on a cell's last line, and keeps it with `save`.
"""

from __future__ import annotations

from scenetext.plots.lines import canvases, character_counts, line_sizes
from scenetext.plots.results import accuracy_by_group, confidence, confusion_bars
from scenetext.plots.sheets import contact_sheet, variants_sheet
from scenetext.plots.sizes import accuracy_by_size, bits_by_layer, bytes_by_part
from scenetext.plots.style import save
from scenetext.plots.training import learning_rates, training_curves

__all__ = [
    "accuracy_by_group",
    "accuracy_by_size",
    "bits_by_layer",
    "bytes_by_part",
    "canvases",
    "character_counts",
    "confidence",
    "confusion_bars",
    "contact_sheet",
    "learning_rates",
    "line_sizes",
    "save",
    "training_curves",
    "variants_sheet",
]
