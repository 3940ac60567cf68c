"""Draws text lines: a whole competition for the demo and the tests, and lines of any texts for training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "competition": ["draw_competition", "draw_part"],
        "draw": ["draw_line"],
        "lines": ["draw_lines"],
        "scenes": ["draw_scene", "draw_scenes"],
        "texts": ["write_line"],
    },
)
