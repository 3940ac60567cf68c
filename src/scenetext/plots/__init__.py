"""Figures of the notebooks: arrays in, a matplotlib figure out. Nothing here reads a file.

A notebook shows a figure by naming it on the last line of a cell, and writes it to a file by `save`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alignments": ["attention_maps", "ctc_alignment"],
        "comparisons": ["gains", "run_curves"],
        "gallery": ["line_gallery"],
        "latency": ["accuracy_by_latency"],
        "lessons": ["labelled_lines", "network_stages", "rounding", "width_buckets"],
        "lines": ["canvases", "character_counts", "line_sizes"],
        "results": ["accuracy_by_group", "confidence", "confusion_bars", "reliability"],
        "sheets": ["contact_sheet", "photo_texts", "variants_sheet"],
        "sizes": ["accuracy_by_size", "bits_by_layer", "bytes_by_part"],
        "style": ["save"],
        "training": ["accuracy_curve", "learning_rates", "loss_curve", "training_curves"],
    },
)
