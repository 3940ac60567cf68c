"""Texts to scores."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["Comparison", "difference_sentence"],
        "compare_sources": ["compare"],
        "edits": ["edit_script"],
        "evaluation": ["evaluate"],
        "metrics": ["score"],
        "protocols": ["protocol"],
        "selection": ["selection_of"],
    },
)
