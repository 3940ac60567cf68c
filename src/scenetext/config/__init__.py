"""Configurations: PaddleOCR's YAML schema, checked.

Paths in a configuration are relative to the working directory, as in PaddleOCR; only `base: other.yml` (a file that
this one extends) is relative to the file that says it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loading": ["load_config", "write_config"],
        "schema": ["Config"],
    },
)
