"""The competition's raw files to a data set: label files, dictionary, report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "preparation": ["prepare", "summary"],
    },
)
