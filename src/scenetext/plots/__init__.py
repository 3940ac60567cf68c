"""Figures of the notebooks: arrays in, a matplotlib figure out. Nothing here reads a file.

A notebook shows a figure by naming it on a cell's last line, and keeps it with `save`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "lines": ["canvases", "character_counts", "line_sizes"],
        "results": ["accuracy_by_group", "confidence", "confusion_bars"],
        "sheets": ["contact_sheet", "variants_sheet"],
        "sizes": ["accuracy_by_size", "bits_by_layer", "bytes_by_part"],
        "style": ["save"],
        "training": ["learning_rates", "training_curves"],
    },
)
