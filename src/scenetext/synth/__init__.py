"""Draws text lines and a whole competition for the demo and the tests, without any download."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "competition": ["draw_competition", "draw_part"],
        "draw": ["draw_line"],
        "scenes": ["draw_scene", "draw_scenes"],
        "texts": ["write_line"],
    },
)
