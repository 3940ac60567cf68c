"""Texts to scores."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "benchmarking": ["benchmark"],
        "compare_sources": ["compare"],
        "comparison": ["Comparison", "difference_sentence"],
        "edits": ["edit_script"],
        "evaluation": ["evaluate"],
        "metrics": ["score"],
        "protocols": ["protocol"],
        "selection": ["selection_of"],
        "turned_gain": ["turned_gain"],
    },
)
